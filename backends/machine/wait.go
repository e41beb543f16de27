package machine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// cleanupTime bounds what is done after the caller's context has ended.
const cleanupTime = 15 * time.Second

// Wait is what a VM must show before it counts as ready. The zero value waits
// for the first address.
type Wait struct {
	Agent   bool         // the guest agent answers
	IPv4    bool         // only an IPv4 address counts
	CIDR    netip.Prefix // only an address inside counts; invalid is any
	Network string       // only this NIC's addresses count; "" is any
	Timeout time.Duration
	// Except are addresses that do not count: those of a clone's source, under whose identity
	// the clone's guest may begin.
	Except []string
}

// DefaultWait is how long WaitFor waits where Timeout is 0.
const DefaultWait = 5 * time.Minute

// WaitFor reads a running VM at growing intervals until it shows what w asks
// for. When w's time is over that is a warning that names the likely cause, not
// an error: the VM exists and works. An error is returned when the VM cannot be
// read any more or ctx ends.
func WaitFor(ctx context.Context, b backends.Backend, id backends.ID, w Wait) ([]backends.Warning, error) {
	if w.Timeout <= 0 {
		w.Timeout = DefaultWait
	}
	bounded, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 200*time.Millisecond, 3*time.Second

	var last *backends.VM
	for {
		vm, err := Get(bounded, b, id, backends.AspectConfig|backends.AspectRuntime|backends.AspectGuest)
		switch {
		case err == nil:
			last = vm
			if w.met(vm) {
				return nil, nil
			}
			if vm.Power == backends.Stopped {
				return nil, backends.Errorf(backends.Precondition, "wait for an address", backends.VMObject(vm.Config.Name),
					"the VM stopped while it was waited for").
					Advise("Look at its console or log: the guest shut down or crashed.")
			}
		case ctx.Err() != nil:
			return nil, backends.Wrap(ctx.Err(), "wait for an address", backends.VMObject(string(id)))
		case errors.Is(err, backends.ErrNotFound), backends.CodeOf(err) == backends.Auth:
			return nil, err
		}
		timer := time.NewTimer(pause.NextBackOff())
		select {
		case <-timer.C:
		case <-bounded.Done():
			timer.Stop()
			if ctx.Err() != nil {
				return nil, backends.Wrap(ctx.Err(), "wait for an address", backends.VMObject(string(id)))
			}
			return []backends.Warning{w.missed(id, last)}, nil
		}
	}
}

// met reports whether vm shows what is waited for.
func (w Wait) met(vm *backends.VM) bool {
	if w.Agent && (vm.Guest == nil || !vm.Guest.AgentRunning) {
		return false
	}
	if w.Agent && !w.IPv4 && !w.CIDR.IsValid() && w.Network == "" {
		return true
	}
	for key, nic := range vm.Networks {
		if w.Network != "" && key != w.Network {
			continue
		}
		if slices.ContainsFunc(nic.Addresses, w.counts) {
			return true
		}
	}
	return false
}

func (w Wait) counts(address string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil || slices.Contains(w.Except, address) {
		return false
	}
	return (!w.IPv4 || a.Is4()) && (!w.CIDR.IsValid() || w.CIDR.Contains(a))
}

// missed says what did not come and why that may be.
func (w Wait) missed(id backends.ID, vm *backends.VM) backends.Warning {
	name := string(id)
	if vm != nil {
		name = vm.Config.Name
	}
	warning := backends.Warning{
		Path:    "wait_for",
		Summary: fmt.Sprintf("VM %q showed no address within %s", name, w.Timeout),
	}
	var seen []string
	switch {
	case vm == nil:
		warning.Detail = "The VM could not be read in all that time."
	default:
		for key, nic := range vm.Networks {
			for _, a := range nic.Addresses {
				seen = append(seen, key+": "+a)
			}
		}
		slices.Sort(seen)
		agent := vm.Guest != nil && vm.Guest.AgentRunning
		switch {
		case w.Agent && !agent:
			warning.Summary = fmt.Sprintf("The guest agent of VM %q did not answer within %s", name, w.Timeout)
			warning.Detail = "Is the agent installed and started in the image?"
		case len(seen) > 0:
			warning.Detail = "It has addresses, but none that wait_for asks for: " + strings.Join(seen, ", ") + "."
		case agent:
			warning.Detail = "The guest agent answers, but no interface has an address: is there a DHCP server on the network, or a static address in networks?"
		default:
			warning.Detail = "No guest agent answered and the hypervisor knows no lease: is the agent installed in the image, and is the network the right one?"
		}
	}
	warning.Detail += " The VM is kept and was not changed. Raise wait_for.timeout, or leave wait_for out."
	return warning
}

// addressesOf are the addresses that a VM has now, as far as that is known.
func addressesOf(ctx context.Context, b backends.Backend, id backends.ID) []string {
	vm, err := Get(ctx, b, id, backends.AspectConfig|backends.AspectRuntime|backends.AspectGuest)
	if err != nil {
		return nil
	}
	var all []string
	for _, nic := range vm.Networks {
		all = append(all, nic.Addresses...)
	}
	return all
}
