package mock

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
)

// Fault makes calls fail by rule. The package comment lists the operations.
type Fault struct {
	Operation   string        // glob; "" is any
	Name        string        // glob for the name or id of the VM, image or disk; "" is any
	Code        backends.Code // of the error; "" is Transient
	Message     string        // its cause
	Skip        int           // so many matching calls pass first
	Count       int           // then so many fail; 0 is all
	Probability float64       // of each of those failing; 0 is 1
}

var codes = []backends.Code{
	backends.NotFound, backends.Conflict, backends.Locked, backends.Invalid, backends.Unsupported, backends.Precondition,
	backends.Auth, backends.Exhausted, backends.Transient, backends.Timeout, backends.Canceled, backends.Internal,
}

func (f Fault) validate() error {
	for _, glob := range []string{f.Operation, f.Name} {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("%q is not a pattern: %w", glob, err)
		}
	}
	switch {
	case f.Code != "" && !slices.Contains(codes, f.Code):
		return fmt.Errorf("%q is not an error code; the codes are %v", f.Code, codes)
	case f.Probability < 0 || f.Probability > 1:
		return fmt.Errorf("probability %v is not between 0 and 1", f.Probability)
	case f.Count < 0 || f.Skip < 0:
		return errors.New("count and skip cannot be negative")
	}
	return nil
}

// injector decides which calls fail and how long each takes.
type injector struct {
	mu    sync.Mutex
	rng   *rand.Rand
	rules []*rule
}

type rule struct {
	Fault
	matched, failed int
}

func newInjector(seed int64, faults []Fault) *injector {
	in := &injector{rng: rand.New(rand.NewPCG(uint64(seed), 0x6d6f636b))} //nolint:gosec // determinism is wanted
	for _, f := range faults {
		in.add(f)
	}
	return in
}

func (in *injector) add(f Fault) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.rules = append(in.rules, &rule{Fault: f})
}

// jitter is a random duration below limit.
func (in *injector) jitter(limit int64) int64 {
	if limit <= 0 {
		return 0
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.rng.Int64N(limit)
}

// concerns reports whether a rule names the operation, whether or not it fires.
func (in *injector) concerns(operation string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.ContainsFunc(in.rules, func(r *rule) bool { return globs(r.Operation, operation) })
}

// check returns the error of the first rule that fires for any of the
// operations and any of the names. Without names, only rules for any name fire.
func (in *injector) check(operations, names []string, op, object string) error {
	return in.first(op, object, func(r *rule) bool {
		return anyGlobs(r.Operation, operations) && (r.Name == "" || anyGlobs(r.Name, names))
	})
}

// checkOne is check for one object of a bulk call: rules without a name have
// had their turn when the call began.
func (in *injector) checkOne(operation string, names []string, op, object string) error {
	return in.first(op, object, func(r *rule) bool {
		return globs(r.Operation, operation) && r.Name != "" && anyGlobs(r.Name, names)
	})
}

func (in *injector) first(op, object string, concerns func(*rule) bool) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range in.rules {
		if !concerns(r) || !in.fires(r) {
			continue
		}
		return &backends.Error{
			Code: cmp.Or(r.Code, backends.Transient), Op: op, Object: object,
			Err:    errors.New(cmp.Or(r.Message, "a fault was injected")),
			Remedy: "The mock's faults ask for this error.",
		}
	}
	return nil
}

func (in *injector) fires(r *rule) bool {
	r.matched++
	if r.matched <= r.Skip || r.Count > 0 && r.failed >= r.Count {
		return false
	}
	if r.Probability > 0 && in.rng.Float64() >= r.Probability {
		return false
	}
	r.failed++
	return true
}

func globs(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return pattern == "" || err == nil && ok
}

func anyGlobs(pattern string, all []string) bool {
	return pattern == "" || slices.ContainsFunc(all, func(s string) bool { return globs(pattern, s) })
}
