package vmschema

import (
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

// inherit turns the attributes of a VM into those of a clone: what is unset is
// the source's, so that also the drive's medium and the host's devices are
// computed, and descriptions that name a default name another.
func inherit(all map[string]schema.Attribute) {
	cdrom := all["cdrom"].(schema.SingleNestedAttribute) //nolint:forcetypeassert // made by this package
	cdrom.Computed = true
	cdrom.MarkdownDescription = "A CD drive. The medium is changed while the clone runs; `{}` ejects it. Unset leaves what is in the drive."
	devices := all["host_devices"].(schema.MapNestedAttribute) //nolint:forcetypeassert // likewise
	devices.Computed = true
	all["cdrom"], all["host_devices"] = cdrom, devices
	for name, rest := range map[string]string{
		"disks": " Where it is set, it names all of the clone's disks: those whose key the source has are made from them, others are new. " +
			"Unset, the clone has the source's; those that the source attaches by `volume` come as copies.",
		"networks": " Where it is set, it names all of the clone's interfaces. Unset, the clone has the source's, with MAC addresses of its own.",
	} {
		a := all[name].(schema.MapNestedAttribute) //nolint:forcetypeassert // likewise
		a.MarkdownDescription = unset.ReplaceAllString(a.MarkdownDescription, "") + rest
		all[name] = a
	}
	for name, a := range all {
		if !own[name] {
			all[name] = inheriting(name, a)
		}
	}
}

// unset is the sentence of what an unset map leaves alone.
var unset = regexp.MustCompile(` Unset leaves [^.]*\.$`)

// own are attributes of which a clone has a value of its own by default.
var own = map[string]bool{
	"linked": true, "on_source_change": true, "restart_policy": true, "reboot_triggers": true, "protected": true, "timeouts": true,
	"shutdown": true, "wait_for": true, "customization": true,
	"networks.mac": true, "networks.ipv4": true, "networks.ipv6": true, "networks.order": true,
	"disks.keep_on_destroy": true, "cloud_init.hostname": true, "cloud_init.instance_id": true,
	"console.port": true, "console.password_wo": true, "placement.host": true,
}

// inheriting is a with the source's value for a default where it is one that a
// source has: optional and computed.
func inheriting(path string, a schema.Attribute) schema.Attribute {
	if own[path] {
		return a
	}
	nested := func(all map[string]schema.Attribute) map[string]schema.Attribute {
		for name, child := range all {
			all[name] = inheriting(path+"."+name, child)
		}
		return all
	}
	switch a := a.(type) {
	case schema.StringAttribute:
		a.MarkdownDescription = fromSource(a.MarkdownDescription, a.Optional && a.Computed)
		return a
	case schema.Int64Attribute:
		a.MarkdownDescription = fromSource(a.MarkdownDescription, a.Optional && a.Computed)
		return a
	case schema.BoolAttribute:
		a.MarkdownDescription = fromSource(a.MarkdownDescription, a.Optional && a.Computed)
		return a
	case schema.SingleNestedAttribute:
		a.Attributes = nested(a.Attributes)
		return a
	case schema.MapNestedAttribute:
		a.NestedObject.Attributes = nested(a.NestedObject.Attributes)
		return a
	}
	return a
}

// fromSource replaces the sentence that names a default.
func fromSource(doc string, inherited bool) string {
	start := strings.Index(doc, "Default")
	if !inherited || start < 0 {
		return doc
	}
	end := strings.Index(doc[start:], ". ")
	if end < 0 {
		return doc[:start] + "Default: the source's."
	}
	return doc[:start] + "Default: the source's." + doc[start+end+1:]
}
