// Package fault turns what Proxmox VE answers when it refuses into errors with a code: the one
// classification that the driver has.
//
// Proxmox VE says why in words: in the reason phrase of the answer and its body, by parameter where parameters
// are to blame, and in the exit status of a task. A status alone says little: 500 is the answer for what does not
// exist as well as for what is locked, taken or running. So the words decide, and they are those of the API servers'
// recorded answers; see the tables in words.go.
package fault

import (
	"context"
	"errors"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Sentinels for errors.Is, beside those of package backends.
var (
	// ErrDigest: the configuration changed since its digest was read. Its code is Conflict; read
	// again and repeat.
	ErrDigest = errors.New("the configuration was changed by somebody else")
	// ErrTaken: the VMID belongs to a VM or container already. Its code is Conflict; take another one.
	ErrTaken = errors.New("the VMID is taken")
	// ErrLeftover: an earlier VM of the VMID has left its cloud-init drive's volume, whose name is always the same. Its code is
	// Conflict; take another VMID.
	ErrLeftover = errors.New("an earlier VM has left a volume")
	// ErrLocked: something else works on the VM or storage, or was broken off. Its code is Locked.
	ErrLocked = errors.New("something else works on it")
)

// Refusal is an answer of Proxmox VE that is no success.
type Refusal struct {
	Method, Path string            // of the request; the path without /api2/json
	Status       int               // of HTTP, or 595 to 599 from the proxy
	Reason       string            // the reason phrase
	Message      string            // of the body, "" where it has none
	Params       map[string]string // what is wrong with parameters, by name
	Who          string            // who asked: root@pam, or root@pam!tf for a token

	plain *Refusal
}

// Judge has the answer judged by what it said before secrets were taken out of it, of which nothing is shown: a secret may be a word
// that says what it is about.
func (r *Refusal) Judge(plain *Refusal) *Refusal {
	r.plain = plain
	return r
}

// Error is what Proxmox VE says.
func (r *Refusal) Error() string { return r.words() }

// Failure is the end of a task that did not succeed.
type Failure struct {
	UPID, Node string
	Kind       string   // of the task: qmcreate, imgcopy
	ID         string   // what the task is about: a VMID, a file name, or ""
	Exit       string   // its exit status
	Log        []string // its last lines without the exit status
	Who        string
}

// Error is the exit status, and what the log says beyond it.
func (f *Failure) Error() string { return f.words() }

// verdict is what an answer means.
type verdict struct {
	code   backends.Code
	kind   string // of object that does not exist or is taken: VM, snapshot, storage
	text   string // in words, "" is what Proxmox VE says
	remedy string
	is     error // a sentinel
	vague  bool  // that something failed is said, and not why
}

// said is an error in plain words that still wraps the answer.
type said struct {
	verdict
	err error
}

func (s *said) Error() string        { return s.text }
func (s *said) Unwrap() error        { return s.err }
func (s *said) Is(target error) bool { return s.is != nil && target == s.is }

// Wrap makes err a *backends.Error with a code, the operation and the object. nil stays nil.
//
// NotFound is about the object: where that is a VM, a storage, volume or node that does not exist is a Precondition,
// so that nobody takes the VM for gone. Note that Proxmox VE says the same of a VM that lives at another node.
func Wrap(err error, op, object string) error {
	if err == nil {
		return nil
	}
	var done *backends.Error
	if !errors.As(err, &done) {
		v := judge(err)
		done = &backends.Error{Code: v.code, Remedy: v.remedy, Err: &said{v, err}}
	}
	if done.Code == backends.NotFound && object != "" && !about(kindOf(done), object) {
		c := *done
		c.Code = backends.Precondition
		done = &c
	}
	return backends.Wrap(done, op, object)
}

// Elsewhere reports whether err says that a node has no such VM, or is none itself any more: the VM may be at another one.
func Elsewhere(err error) bool {
	kind := kindOf(err)
	return backends.CodeOf(err) == backends.NotFound && (kind == "VM" || kind == "node")
}

// kindOf returns the kind of object that an error says does not exist.
func kindOf(err error) string {
	var s *said
	if errors.As(err, &s) {
		return s.kind
	}
	return ""
}

// about reports whether what does not exist is the object, or what the object belongs to.
func about(kind, object string) bool {
	if kind == "" || kind == "VM" || kind == "task" {
		return true
	}
	noun, _, _ := strings.Cut(object, " ")
	switch kind {
	case "volume", "disk":
		return noun == "disk" || noun == "volume" || noun == "image" || noun == "file"
	case "node":
		return noun == "node" || noun == "host"
	case "entry":
		return noun != "VM" && noun != "disk" && noun != "image" && noun != "volume" && noun != "snapshot" && noun != "template"
	}
	return noun == kind || strings.HasPrefix(object, kind)
}

// judge finds out what err means.
func judge(err error) verdict {
	var r *Refusal
	var f *Failure
	var v verdict
	switch {
	case errors.As(err, &r):
		if v = ofRefusal(r); r.plain != nil {
			shown := v.text
			v = ofRefusal(r.plain)
			v.text = shown
		}
	case errors.As(err, &f):
		v = ofFailure(f)
	case errors.Is(err, context.Canceled):
		return verdict{code: backends.Canceled, text: "interrupted"}
	case errors.Is(err, context.DeadlineExceeded):
		return verdict{code: backends.Timeout, text: "the time allowed is over"}
	default:
		return verdict{code: backends.Internal, text: err.Error()}
	}
	if v.text == "" {
		v.text = err.Error()
	}
	return v
}
