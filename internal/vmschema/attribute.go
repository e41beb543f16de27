package vmschema

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// Attributes of a VM are optional and computed unless they say otherwise: what
// is not configured is the hypervisor's and never a difference.

func text(doc string, v ...validator.String) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: doc, Optional: true, Computed: true, Validators: v}
}

func integer(doc string, v ...validator.Int64) schema.Int64Attribute {
	return schema.Int64Attribute{MarkdownDescription: doc, Optional: true, Computed: true, Validators: v}
}

func flag(doc string) schema.BoolAttribute {
	return schema.BoolAttribute{MarkdownDescription: doc, Optional: true, Computed: true}
}

func object(doc string, attributes map[string]schema.Attribute) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{MarkdownDescription: doc, Optional: true, Computed: true, Attributes: attributes}
}

func textList(doc string, v ...validator.List) schema.ListAttribute {
	return schema.ListAttribute{MarkdownDescription: doc, Optional: true, Computed: true, ElementType: types.StringType, Validators: append(noNulls, v...)}
}

// told is text that only the hypervisor gives.
func told(doc string) schema.StringAttribute {
	return schema.StringAttribute{MarkdownDescription: doc, Computed: true}
}

// noNulls refuses lists such as [null], which no hypervisor can make sense of.
var noNulls = []validator.List{listvalidator.NoNullValues()}

func oneOf(values ...string) validator.String { return stringvalidator.OneOf(values...) }

func matches(pattern, message string) validator.String {
	return stringvalidator.RegexMatches(regexp.MustCompile(pattern), message)
}

// stableKey is what disks, networks and host devices are keyed by.
var stableKey = mapvalidator.KeysAre(matches(`^[a-z0-9][a-z0-9_-]{0,30}$`,
	"must start with a lower-case letter or digit and have at most 31 lower-case letters, digits, hyphens and underscores"))

// or is the observed value, or the prior one where the hypervisor does not tell.
func or[T any](observed, prior *T) *T {
	if observed != nil {
		return observed
	}
	return prior
}

// orNone is an observed number of which 0 is none, and what is not told is none.
func orNone(observed *int64) *int64 { return or(observed, new(int64)) }

// value is what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// some is a pointer to v, nil where v is the zero value.
func some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func oneOfOnly(values ...string) []validator.String { return []validator.String{oneOf(values...)} }
