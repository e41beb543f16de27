package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A lock keeps others from the VM until it is taken away, and tasks take as long as they are told.
func TestControl(t *testing.T) {
	s := Start(t, Options{VMs: 1})
	path := "/nodes/pve1/qemu/" + fmt.Sprint(bulkID) + "/config"
	s.SetLock(bulkID, "backup")
	if _, err := s.call("PUT", path, params{"cores": "1"}); err == nil || !strings.Contains(err.Error(), "VM is locked (backup)") {
		t.Errorf("a locked VM is changed: %v", err)
	}
	s.SetLock(bulkID, "")
	if _, err := s.call("PUT", path, params{"cores": "1"}); err != nil {
		t.Error(err)
	}
	s.SetTaskTime(time.Hour)
	if _, err := s.call("POST", "/nodes/pve1/qemu/"+fmt.Sprint(bulkID)+"/status/start", nil); err != nil {
		t.Fatal(err)
	}
	tasks, err := s.call("GET", "/nodes/pve1/tasks", params{"source": "active"})
	if list, ok := tasks.([]map[string]any); err != nil || !ok || len(list) != 1 {
		t.Errorf("tasks that run: %v (%v)", tasks, err)
	}
}
