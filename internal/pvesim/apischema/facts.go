// Package apischema knows the parameters of Proxmox VE's API as versions 8.4 and 9.1 define them: which
// endpoints there are, what each takes, and in which words Proxmox VE refuses what does not fit.
//
// The rules and texts are those of PVE::JSONSchema; recordings of a real API hold them in the tests.
package apischema

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
)

//go:generate go run ./gen schema.json facts.json.gz

//go:embed facts.json.gz
var packed []byte

// facts is the embedded description as it is written.
type facts struct {
	Named     map[string]namedFormat          `json:"named_formats"`
	Inline    map[string]map[string]*Property `json:"inline_formats"`
	Endpoints []*Endpoint                     `json:"endpoints"`
	Delta     delta                           `json:"v9_delta"`
}

type namedFormat struct {
	Kind       string               `json:"kind"` // "validator", "list" or "property-string"
	Properties map[string]*Property `json:"properties"`
}

// delta is what version 9 does differently.
type delta struct {
	Added   []*Endpoint `json:"added"`
	Removed []struct {
		Method string `json:"method"`
		Path   string `json:"path"`
	} `json:"removed"`
	Changed []struct {
		Method      string               `json:"method"`
		Path        string               `json:"path"`
		Added       map[string]*Property `json:"parameters_added"`
		Changed     map[string]*Property `json:"parameters_changed_to"`
		Removed     []string             `json:"parameters_removed"`
		Permissions any                  `json:"permissions_changed_to"`
		Returns     *Property            `json:"returns_changed_to"`
	} `json:"changed"`
}

var (
	load8 = sync.OnceValue(func() *Table { return build(8) })
	load9 = sync.OnceValue(func() *Table { return build(9) })
)

// Load is the API of a version of Proxmox VE: 9, or 8 for anything else. The table is shared: nobody may change it.
func Load(version int) *Table {
	if version == 9 {
		return load9()
	}
	return load8()
}

// read unpacks the embedded facts. They are part of the program: that they are damaged is a defect of it.
func read() *facts {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(fmt.Sprintf("apischema: embedded facts: %v", err))
	}
	var f facts
	d := json.NewDecoder(r)
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		panic(fmt.Sprintf("apischema: embedded facts: %v", err))
	}
	return &f
}

// build makes the table of a version from a copy of the facts of its own.
func build(version int) *Table {
	f := read()
	t := &Table{Version: version, named: f.Named, inline: f.Inline, root: &branch{}}
	byRoute := map[string]*Endpoint{}
	for _, e := range f.Endpoints {
		byRoute[e.Method+" "+e.Path] = e
	}
	if version == 9 {
		f.Delta.apply(byRoute)
	}
	for _, e := range byRoute {
		e.table = t
		for name, p := range e.Parameters {
			p.family = isFamily(name)
		}
		t.root.add(e)
		t.count++
	}
	return t
}

// apply makes version 9 of version 8's endpoints.
func (d *delta) apply(byRoute map[string]*Endpoint) {
	for _, e := range d.Added {
		byRoute[e.Method+" "+e.Path] = e
	}
	for _, gone := range d.Removed {
		delete(byRoute, gone.Method+" "+gone.Path)
	}
	for _, c := range d.Changed {
		e := byRoute[c.Method+" "+c.Path]
		if e == nil {
			continue
		}
		if e.Parameters == nil {
			e.Parameters = map[string]*Property{}
		}
		for _, name := range c.Removed {
			delete(e.Parameters, name)
		}
		for name, p := range c.Added {
			e.Parameters[name] = p
		}
		for name, p := range c.Changed {
			e.Parameters[name] = p
		}
		if c.Permissions != nil {
			e.Permissions = c.Permissions
		}
		if c.Returns != nil {
			e.Returns = c.Returns
		}
	}
}
