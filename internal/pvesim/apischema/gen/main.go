// Command gen makes the facts that package apischema embeds out of a description of Proxmox VE's API:
//
//	go run ./internal/pvesim/apischema/gen schema.json internal/pvesim/apischema/facts.json.gz
//
// It keeps what verification and dispatch need, checks that it can be read back, and writes it
// so that the same description makes the same bytes.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
)

// kept are the parts of the description that the package reads.
var kept = []string{"named_formats", "inline_formats", "endpoints", "v9_delta"}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen <schema.json> <facts.json.gz>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&all); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	facts := map[string]any{}
	for _, part := range kept {
		if all[part] == nil {
			return fmt.Errorf("%s has no %q", from, part)
		}
		facts[part] = all[part]
	}
	compact, err := json.Marshal(facts) // keys in order
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(compact); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(to, out.Bytes(), 0o644)
}
