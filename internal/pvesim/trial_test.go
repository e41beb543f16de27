package pvesim

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// trial is a cluster that a test asks in-process.
type trial struct {
	*Server
	t *testing.T
}

func newTrial(t *testing.T, o Options) *trial {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return &trial{s, t}
}

// eachVersion runs a test on a cluster of each version.
func eachVersion(t *testing.T, nodes int, f func(b *trial)) {
	for _, version := range []int{8, 9} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			o := Options{Version: version}
			for i := range nodes {
				o.Nodes = append(o.Nodes, fmt.Sprintf("pve%d", i+1))
			}
			f(newTrial(t, o))
		})
	}
}

// values reads "a=1&b=2" without decoding: values may hold anything but "&".
func values(text string) params {
	p := params{}
	for part := range strings.SplitSeq(text, "&") {
		if key, value, ok := strings.Cut(part, "="); ok {
			p[key] = value
		}
	}
	return p
}

// do makes a request that must succeed.
func (b *trial) do(method, path, p string) any {
	b.t.Helper()
	v, err := b.call(method, path, values(p))
	if err != nil {
		b.t.Fatalf("%s %s %s: %v", method, path, p, err)
	}
	return v
}

// refused makes a request that must be refused with a text.
func (b *trial) refused(method, path, p, want string) {
	b.t.Helper()
	v, err := b.call(method, path, values(p))
	if err == nil {
		b.t.Fatalf("%s %s %s is allowed: %v", method, path, p, v)
	}
	got := err.Error()
	if r, is := err.(*refusal); is {
		for name, text := range r.errors {
			got += " " + name + ": " + text
		}
	}
	if !strings.Contains(got, want) {
		b.t.Errorf("%s %s %s is refused with %q, want %q", method, path, p, got, want)
	}
}

// ends makes a request that starts a task and tells how that ends, and its log.
func (b *trial) ends(method, path, p string) (exit, log string) {
	b.t.Helper()
	upid, is := b.do(method, path, p).(string)
	b.mu.Lock()
	t := b.tasks.byUPID[upid]
	b.mu.Unlock()
	if !is || t == nil {
		b.t.Fatalf("%s %s starts no task", method, path)
	}
	select {
	case <-t.done:
	case <-time.After(time.Minute):
		b.t.Fatalf("%s %s: its task does not end", method, path)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return t.exit, strings.Join(t.log, "\n")
}

// task makes a request whose task must succeed, and returns its log.
func (b *trial) task(method, path, p string) string {
	b.t.Helper()
	exit, log := b.ends(method, path, p)
	if exit != "OK" {
		b.t.Fatalf("%s %s %s: the task ends with %q:\n%s", method, path, p, exit, log)
	}
	return log
}

// fails makes a request whose task must fail with a text in its end.
func (b *trial) fails(method, path, p, want string) string {
	b.t.Helper()
	exit, log := b.ends(method, path, p)
	if !strings.Contains(exit, want) || exit == "OK" {
		b.t.Errorf("%s %s %s: the task ends with %q, want %q", method, path, p, exit, want)
	}
	return log
}

// config is the configuration of a VM.
func (b *trial) config(id int) map[string]any {
	b.t.Helper()
	m := b.machine(id)
	shown, _ := b.do("GET", fmt.Sprintf("/nodes/%s/qemu/%d/config", m.node.name, id), "").(map[string]any)
	return shown
}

// machine is a VM that must be there.
func (b *trial) machine(id int) *machine {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.machines[id]
	if m == nil {
		b.t.Fatalf("there is no VM %d", id)
	}
	return m
}

// disk is the volume of a VM's drive.
func (b *trial) disk(id int, key string) *volume {
	b.t.Helper()
	m := b.machine(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.volume(m.node.name, parseDrive(m.config[key]).file)
	if v == nil {
		b.t.Fatalf("VM %d has no volume for %s: %q", id, key, m.config[key])
	}
	return v
}

// write writes to a disk, at its beginning.
func (b *trial) write(id int, key, text string) {
	b.t.Helper()
	if _, err := b.disk(id, key).data.WriteAt([]byte(text), 0); err != nil {
		b.t.Fatal(err)
	}
}

// reads fails unless a disk begins with a text, or with nothing.
func (b *trial) reads(id int, key, want string) {
	b.t.Helper()
	got := make([]byte, 32)
	if _, err := b.disk(id, key).data.ReadAt(got, 0); err != nil {
		b.t.Fatal(err)
	}
	if got := string(bytes.TrimRight(got, "\x00")); got != want {
		b.t.Errorf("%s of VM %d reads %q, want %q", key, id, got, want)
	}
}

// eventually waits until something is so.
func (b *trial) eventually(what string, so func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !so() {
		if time.Now().After(deadline) {
			b.t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// has fails unless an object has a value under a key; nil is none.
func has(t *testing.T, o map[string]any, key string, want any) {
	t.Helper()
	if got := o[key]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s is %v, want %v", key, got, want)
	}
}
