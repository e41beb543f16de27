// Command docgen writes the pages of the documentation that come from data: the
// capability table, out of the catalogues that the drivers answer with.
//
//	docgen ROOT
//
// ROOT is where tfplugindocs then runs: it copies templates/ to docs/. The page is
// not kept in the project's own templates/, so there is only one copy of it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// capabilityPage is where tfplugindocs finds the page, below its root.
const capabilityPage = "templates/guides/capabilities.md"

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := write(root); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	page := filepath.Join(root, capabilityPage)
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		return err
	}
	return os.WriteFile(page, Capabilities(), 0o644) //nolint:gosec // a page for everybody
}
