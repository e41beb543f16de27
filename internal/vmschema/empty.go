package vmschema

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// noticeEmpty warns of objects that are written but set nothing. Terraform drops
// keys that it does not know from an object without a word, so an object that is
// empty here may be one whose only key is misspelt. It is no error, because a
// module may well hand on variables that are null.
func noticeEmpty(all map[string]schema.Attribute, names ...string) {
	for _, name := range names {
		if a, ok := all[name].(schema.SingleNestedAttribute); ok {
			a.Validators = append(slices.Clone(a.Validators), notEmpty{known: slices.Sorted(maps.Keys(a.Attributes))})
			all[name] = a
		}
	}
}

// notEmpty is the validator behind noticeEmpty.
type notEmpty struct{ known []string }

func (v notEmpty) Description(context.Context) string { return "should set something" }

func (v notEmpty) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v notEmpty) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	for _, a := range req.ConfigValue.Attributes() {
		if !a.IsNull() {
			return
		}
	}
	resp.Diagnostics.AddAttributeWarning(req.Path, fmt.Sprintf("%s sets nothing", req.Path),
		fmt.Sprintf("None of its attributes is set. Terraform drops unknown keys of an object, so look for a misspelt one. %s knows %s; leave it out to leave all to the hypervisor.",
			req.Path, strings.Join(v.known, ", ")))
}
