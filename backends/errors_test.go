package backends

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestCodeOf(t *testing.T) {
	full := Errorf(Exhausted, "create", VMObject("web"), "pool is full")
	tests := []struct {
		err  error
		want Code
	}{
		{nil, ""},
		{full, Exhausted},
		{fmt.Errorf("more: %w", full), Exhausted},
		{context.Canceled, Canceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), Timeout},
		{io.ErrUnexpectedEOF, Internal},
	}
	for _, tt := range tests {
		if got := CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}

func TestErrorsIsAsksForTheCode(t *testing.T) {
	err := fmt.Errorf("outer: %w", Errorf(NotFound, "read", VMObject("web"), "gone"))
	if !errors.Is(err, ErrNotFound) {
		t.Error("the code was not found")
	}
	if errors.Is(err, ErrConflict) {
		t.Error("another code was found")
	}
}

func TestWrapKeepsTheFirstCause(t *testing.T) {
	first := Errorf(Auth, "", "", "password refused").At("libvirt.uri").Advise("Check it.")
	err := Wrap(fmt.Errorf("dial: %w", first), "connect", "")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal("not an Error")
	}
	if e.Code != Auth || e.Path != "libvirt.uri" || e.Remedy != "Check it." || e.Op != "connect" {
		t.Errorf("got %+v", e)
	}
	if Wrap(nil, "x", "y") != nil {
		t.Error("nil became an error")
	}
	if got := CodeOf(Wrap(context.Canceled, "wait", "")); got != Canceled {
		t.Errorf("a cancelled context became %s", got)
	}
}

func TestErrorReads(t *testing.T) {
	tests := []struct {
		err  *Error
		want string
	}{
		{Errorf(Invalid, `resize disk "data"`, VMObject("web"), "smaller"), `Unable to resize disk "data" of VM "web": smaller`},
		{Errorf(Invalid, "create", VMObject("web"), "bad name"), `Unable to create VM "web": bad name`},
		{Errorf(Transient, "list VMs", "", "reset"), "Unable to list VMs: reset"},
		{&Error{Code: Locked, Op: "start", Object: VMObject("web")}, `Unable to start VM "web": locked`},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}
