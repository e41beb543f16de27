package pvesim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestReplayNotices holds the comparison to account: it takes what the host made up for the same, and nothing else.
func TestReplayNotices(t *testing.T) {
	const (
		recordedUPID = "UPID:pve1:0000016E:0003A762:6B029B45:qmstart:100:root@pam!tf:"
		ownUPID      = "UPID:pve1:00001501:0083D646:6B03C5D7:qmstart:100:root@pam!tf:"
		config       = `{"data":{"name":"a","cores":1,"net0":"virtio=BC:24:11:00:00:01,bridge=vmbr0","digest":"67dfdbdc92f0e003b8ea169426410e18919cea08"}}`
		vms          = `{"data":[{"vmid":100,"type":"qemu","status":"stopped","maxmem":1},{"vmid":999,"type":"qemu","status":"running","maxmem":1}]}`
	)
	for _, c := range []struct {
		name, route, want, got string
		differs                bool
	}{
		{"the same", "GET /x", config, config, false},
		{"made up", "GET /x", config, strings.NewReplacer("00:00:01", "12:34:56", "67dfdbdc", "00000000").Replace(config), false},
		{"a value", "GET /x", config, strings.Replace(config, `"a"`, `"b"`, 1), true},
		{"a kind", "GET /x", config, strings.Replace(config, `"cores":1`, `"cores":"1"`, 1), true},
		{"a key less", "GET /x", config, strings.Replace(config, `"cores":1,`, "", 1), true},
		{"a key more", "GET /x", config, strings.Replace(config, `"cores":1,`, `"cores":1,"kvm":0,`, 1), true},
		{"a part of a text", "GET /x", config, strings.Replace(config, "vmbr0", "vmbr1", 1), true},
		{"another UPID", "GET /x", `{"data":"` + recordedUPID + `"}`, `{"data":"` + ownUPID + `"}`, false},
		{"a UPID of another VM", "GET /x", `{"data":"` + recordedUPID + `"}`, `{"data":"` + strings.Replace(ownUPID, ":100:", ":101:", 1) + `"}`, true},
		{"VMs of other recordings", "GET /cluster/resources", vms, `{"data":[{"vmid":100,"type":"qemu","status":"stopped","maxmem":1}]}`, false},
		{"another state", "GET /cluster/resources", vms, `{"data":[{"vmid":100,"type":"qemu","status":"running","maxmem":1}]}`, true},
		{"no VM", "GET /cluster/resources", vms, `{"data":[]}`, true},
		{"a VM more", "GET /cluster/resources", `{"data":[]}`, vms, true},
		{"a log", "GET /nodes/{node}/tasks/{upid}/log", `{"data":[{"n":1,"t":"x"},{"n":2,"t":"transferred 1 MiB"}],"total":2}`, `{"data":[{"n":1,"t":"x"}],"total":1}`, false},
		{"another log", "GET /nodes/{node}/tasks/{upid}/log", `{"data":[{"n":1,"t":"x"}],"total":1}`, `{"data":[{"n":1,"t":"y"}],"total":1}`, true},
	} {
		x := exchange{Status: http.StatusOK, Reason: "OK", Body: parsed(t, c.want)}
		cmp := &comparison{names: newNames(nil), route: c.route, known: map[string]bool{"vmid 100": true}}
		d := cmp.answer(x, reply{status: http.StatusOK, reason: "OK", body: parsed(t, c.got)})
		if (d != "") != c.differs {
			t.Errorf("%s: the difference is %q", c.name, d)
		}
	}
	x := exchange{Status: http.StatusBadRequest, Reason: "no", Body: parsed(t, `{"data":null,"message":"no\n"}`)}
	for name, got := range map[string]reply{
		"status":  {status: http.StatusOK, reason: "no", body: x.Body},
		"reason":  {status: http.StatusBadRequest, reason: "yes", body: x.Body},
		"message": {status: http.StatusBadRequest, reason: "no", body: parsed(t, `{"data":null,"message":"no"}`)},
	} {
		if (&comparison{names: newNames(nil), route: "GET /x"}).answer(x, got) == "" {
			t.Errorf("another %s goes unnoticed", name)
		}
	}
}

// TestReplayKeepsNames holds that one made-up value stands for one everywhere.
func TestReplayKeepsNames(t *testing.T) {
	n := newNames(nil)
	const one, other = "uuid=11111111-2222-4333-8444-555555555555", "uuid=99999999-2222-4333-8444-555555555555"
	for range 2 {
		if !n.sameText(one, other) {
			t.Error("a value that was made up differs")
		}
	}
	if n.sameText(one, one[:len(one)-1]+"6") {
		t.Error("a value that stays what it is has become another")
	}
	if got := n.translated("/x/" + strings.TrimPrefix(one, "uuid=")); got != "/x/"+strings.TrimPrefix(other, "uuid=") {
		t.Errorf("a request names %s", got)
	}
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
