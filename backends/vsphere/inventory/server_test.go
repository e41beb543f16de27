package inventory_test

import (
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// newFolder makes a folder as somebody else would.
func newFolder(t *testing.T, e *estate, parent types.ManagedObjectReference, name string) types.ManagedObjectReference {
	t.Helper()
	f, err := object.NewFolder(e.conn.VIM(), parent).CreateFolder(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return f.Reference()
}
