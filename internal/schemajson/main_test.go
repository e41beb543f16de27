package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestSchemaOfTheProvider(t *testing.T) {
	var out bytes.Buffer
	if err := write(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	type attr struct {
		Type   any
		Nested struct {
			Mode       string `json:"nesting_mode"`
			Attributes map[string]json.RawMessage
		} `json:"nested_type"`
		Description string
		Required    bool
		WriteOnly   bool `json:"write_only"`
		ForImport   bool `json:"required_for_import"`
	}
	var doc struct {
		Providers map[string]struct {
			Resources map[string]struct {
				Block struct{ Attributes map[string]attr }
			} `json:"resource_schemas"`
			Identities map[string]struct{ Attributes map[string]attr } `json:"resource_identity_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	p := doc.Providers["virtrigaud"]
	vm := p.Resources["virtrigaud_vm"].Block.Attributes
	if name := vm["name"]; name.Type != "string" || !name.Required || name.Description == "" {
		t.Errorf("name is %+v", name)
	}
	if disks := vm["disks"]; disks.Nested.Mode != "map" || disks.Nested.Attributes["size_gib"] == nil {
		t.Errorf("disks is %+v", disks)
	}
	var cloudInit map[string]attr
	raw, err := json.Marshal(vm["cloud_init"].Nested.Attributes)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &cloudInit); err != nil {
		t.Fatal(err)
	}
	if !cloudInit["user_data_wo"].WriteOnly || cloudInit["user_data"].WriteOnly {
		t.Errorf("write-only is wrong: %+v", cloudInit)
	}
	if id := p.Identities["virtrigaud_vm"].Attributes["id"]; id.Type != "string" || !id.ForImport {
		t.Errorf("identity is %+v", p.Identities)
	}
}
