package backends

import (
	"fmt"
	"strconv"
	"strings"
)

// Severity tells an error from a warning.
type Severity int

// The severities.
const (
	SeverityWarning Severity = iota
	SeverityError
)

// Finding is one thing that a plan says of a change before anything is done.
type Finding struct {
	Path     Path
	Severity Severity
	Summary  string
	Detail   string
	Effect   Effect
	Feature  Feature // where an unsupported feature is the reason
}

// RestartPolicy says what to do with a change that needs a restart.
type RestartPolicy string

// The policies.
const (
	RestartWhenRequired RestartPolicy = "when_required" // stop, change, start; the default
	RestartNever        RestartPolicy = "never"         // an error at plan
	RestartDefer        RestartPolicy = "defer"         // keep the change for the next start
)

// CheckOptions is what Check has to know beside the changes.
type CheckOptions struct {
	Running bool // the VM runs, or is going to when the change is made
	Policy  RestartPolicy
	// Snapshots are the names of the VM's snapshots, as far as they are known.
	Snapshots []string
}

// Check holds changes against a catalogue. Unsupported features, refused
// changes and values that the hypervisor does not take are errors; a restart of
// a running VM is a warning that names the VM and the change, or an error where
// the policy forbids it. Check is pure.
//
// For a creation, from is empty and changes are Requirements(to).
func Check(cat Catalogue, from, to *VMSpec, changes []Change, opts CheckOptions) []Finding {
	var findings []Finding
	creating := from.Name == ""
	for _, c := range changes {
		if f, bad := checkFeature(cat, c); bad {
			findings = append(findings, f)
			continue
		}
		if f, bad := checkValue(cat, c); bad {
			findings = append(findings, f)
			continue
		}
		if f, bad := checkSpelling(cat, c); bad {
			findings = append(findings, f)
			continue
		}
		if creating {
			continue
		}
		if f, bad := checkFrozen(cat, from, c, opts.Snapshots); bad {
			findings = append(findings, f)
			continue
		}
		if f, said := checkImpact(cat, from, to, c, opts); said {
			findings = append(findings, f)
		}
	}
	if f, unseen := checkSeed(cat, from, changes); unseen && !creating {
		findings = append(findings, f)
	}
	return findings
}

// checkSeed says of a changed seed that a guest which has booted does not read
// it: cloud-init does its work once for each instance id. One finding, at the
// first of the changes, stands for all.
func checkSeed(cat Catalogue, from *VMSpec, changes []Change) (Finding, bool) {
	var seed []string
	var first Path
	for _, c := range changes {
		p := c.Path.Generic()
		switch {
		case p == "cloud_init.instance_id":
			return Finding{}, false
		case p == "cloud_init", p == "dns", p == "networks.ipv4", p == "networks.ipv6", strings.HasPrefix(p, "cloud_init."):
			if c.PartOfAddition() { // of an interface, which comes whole
				continue
			}
			if first == "" {
				first = c.Path
			}
			seed = append(seed, string(c.Path))
		}
	}
	if first == "" {
		return Finding{}, false
	}
	detail := fmt.Sprintf("VM %q: %s will be written for cloud-init, which reads it at the guest's first boot only. ", from.Name, strings.Join(seed, ", ")) +
		"Change cloud_init.instance_id too to have cloud-init run again at the next boot, or make the change inside the guest."
	if cat.Reseeded != "" {
		detail += " " + cat.Reseeded
	}
	return Finding{Path: first, Severity: SeverityWarning, Summary: "A guest that has booted does not see this", Detail: detail}, true
}

func checkFeature(cat Catalogue, c Change) (Finding, bool) {
	if c.Feature == "" || c.Action == Remove {
		return Finding{}, false
	}
	s := cat.For(c.Feature)
	if s.Level.Claimed() {
		return Finding{}, false
	}
	info, _ := c.Feature.Describe()
	detail := fmt.Sprintf("The %s backend does not support %q (capability %s), which %s asks for.",
		cat.Backend, info.Name, c.Feature, c.Path)
	if s.Note != "" {
		detail += " " + s.Note
	}
	return Finding{
		Path: c.Path, Severity: SeverityError, Feature: c.Feature,
		Summary: fmt.Sprintf("%s is not supported by %s", info.Name, cat.Backend),
		Detail:  detail,
	}, true
}

// checkFrozen refuses what snapshots are in the way of.
func checkFrozen(cat Catalogue, from *VMSpec, c Change, snapshots []string) (Finding, bool) {
	if len(snapshots) == 0 {
		return Finding{}, false
	}
	reason := cat.FrozenBy(c)
	if reason == "" {
		return Finding{}, false
	}
	return Finding{
		Path: c.Path, Severity: SeverityError, Effect: EffectRefuse,
		Summary: "The VM has snapshots",
		Detail: fmt.Sprintf("VM %q: unable to %s while it has snapshots: %s. It has %s. Delete them first.",
			from.Name, c, reason, strings.Join(snapshots, ", ")),
	}, true
}

func checkValue(cat Catalogue, c Change) (Finding, bool) {
	if why := cat.Lacks[c.Path.Generic()]; why != "" && c.Action != Remove && c.To != nil {
		return Finding{
			Path: c.Path, Severity: SeverityError, Feature: c.Feature,
			Summary: fmt.Sprintf("%s does not have this", cat.Backend),
			Detail:  fmt.Sprintf("The %s backend has no %s. %s", cat.Backend, c.Path, why),
		}, true
	}
	value, ok := plain(c.To)
	if !ok || value == "" || c.Action == Remove { // "" takes something away
		return Finding{}, false
	}
	all, ok := cat.accepts(c.Path, value)
	if ok {
		return Finding{}, false
	}
	return Finding{
		Path: c.Path, Severity: SeverityError,
		Summary: fmt.Sprintf("%s does not take this value", cat.Backend),
		Detail:  fmt.Sprintf("%s is %q; the %s backend takes %s.", c.Path, value, cat.Backend, strings.Join(all, ", ")),
	}, true
}

// plain is the text of a value that is a text or a number.
func plain(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

func checkImpact(cat Catalogue, from, to *VMSpec, c Change, opts CheckOptions) (Finding, bool) {
	im := cat.ImpactOf(from, to, c)
	f := Finding{Path: c.Path, Effect: im.Effect}
	switch {
	case im.Effect == EffectLive:
		return f, false
	case im.Effect == EffectRefuse:
		f.Severity = SeverityError
		f.Summary = "This cannot be changed in place"
		f.Detail = fmt.Sprintf("VM %q: unable to %s: %s.", from.Name, c, im.Reason)
		return f, true
	case !opts.Running:
		return f, false
	}
	reason := fmt.Sprintf("VM %q: to %s, %s.", from.Name, c, im.Reason)
	switch opts.Policy {
	case RestartNever:
		f.Severity = SeverityError
		f.Summary = "This change needs a restart"
		f.Detail = reason + ` restart_policy is "never". Stop the VM first, or set restart_policy to "when_required" or "defer".`
	case RestartDefer:
		if cat.Supports(FeatureDeferredChange) {
			f.Summary = "This change waits for the next start"
			f.Detail = reason + " The VM keeps running; the change takes effect when it is next stopped and started."
			break
		}
		f.Severity = SeverityError
		f.Summary = "This change cannot be deferred"
		f.Detail = reason + fmt.Sprintf(` The %s backend cannot keep it for the next start. `, cat.Backend) +
			`Set restart_policy to "when_required", or stop the VM first.`
	default:
		f.Summary = "This change restarts the VM"
		f.Detail = reason + " The VM is shut down, changed and started again during apply."
	}
	return f, true
}
