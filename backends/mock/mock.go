package mock

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/catalogues"
)

// Options says what kind of world to make.
type Options struct {
	// StateFile keeps the world from one process to the next; its directory
	// must exist. "" is memory. The file holds user data in clear.
	StateFile string
	// Imitate takes on the catalogue of another driver: what that one does not
	// claim is refused here too. "" is the mock's own.
	Imitate backends.Kind
	// Latency is how long each call takes, Jitter a random part in addition.
	Latency, Jitter time.Duration
	Faults          []Fault
	// Seed decides everything that looks random. A state file keeps its own.
	Seed int64
	// SampleData adds images, templates and VMs to the inventory.
	SampleData bool
	// Clock is the system's where nil.
	Clock Clock
}

// Backend is one world.
type Backend struct {
	options   Options
	catalogue backends.Catalogue
	clock     Clock
	faults    *injector
	locks     locks
	store     store
	tasks     tasks
	tickets   atomic.Int64 // of consoles

	mu      sync.Mutex
	changed chan struct{} // closed and replaced after each write
}

var _ backends.Backend = (*Backend)(nil)

// New makes a world, or opens the state file's. It returns an *Error of code
// Invalid where an option makes no sense or the state file is not one.
func New(options Options) (*Backend, error) {
	const op = "configure"
	const object = "the mock backend"
	kind := options.Imitate
	if kind == "" {
		kind = backends.Mock
	}
	catalogue, ok := catalogues.All()[kind]
	if !ok {
		return nil, backends.Errorf(backends.Invalid, op, object, "there is no backend %q to imitate", kind).At("imitate")
	}
	if options.Latency < 0 || options.Jitter < 0 {
		return nil, backends.Errorf(backends.Invalid, op, object, "latency and jitter cannot be negative").At("latency")
	}
	for i, f := range options.Faults {
		if err := f.validate(); err != nil {
			return nil, backends.Errorf(backends.Invalid, op, object, "fault %d: %w", i, err).At("faults")
		}
	}
	if options.Clock == nil {
		options.Clock = systemClock{}
	}
	if options.StateFile != "" {
		path, err := filepath.Abs(options.StateFile)
		if err != nil {
			return nil, backends.Errorf(backends.Invalid, op, object, "%w", err).At("state_file")
		}
		options.StateFile = path
	}
	b := &Backend{
		options: options, catalogue: catalogue, clock: options.Clock,
		faults:  newInjector(options.Seed, options.Faults),
		changed: make(chan struct{}),
	}
	b.store = store{path: options.StateFile, clock: options.Clock, fill: b.fill, turn: make(chan struct{}, 1)}
	b.tasks.prefix = "task"
	if options.StateFile == "" {
		b.store.world = newWorld(options.Seed)
		b.fill(b.store.world)
	} else {
		b.tasks.prefix = fmt.Sprintf("task-%x", options.Clock.Now().UnixMilli())
		if err := b.store.view(func(*world) error { return nil }); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// fill brings a new world, or one just read, up to what the options ask for.
func (b *Backend) fill(w *world) {
	if w.Seed == 0 {
		w.Seed = b.options.Seed
	}
	if b.options.SampleData && w.Samples < sampleEdition {
		if !w.Sampled {
			b.addSamples(w)
		}
		b.addTemplates(w)
		w.Sampled, w.Samples = true, sampleEdition
	}
}

// Inject adds a fault while the Backend runs.
func (b *Backend) Inject(f Fault) error {
	if err := f.validate(); err != nil {
		return backends.Errorf(backends.Invalid, "configure", "the mock backend", "%w", err)
	}
	b.faults.add(f)
	return nil
}

// Info describes the mock, or what it imitates.
func (b *Backend) Info(ctx context.Context) (backends.Info, error) {
	if err := b.read(ctx, "Info", "read the version", ""); err != nil {
		return backends.Info{}, err
	}
	info := backends.Info{
		Backend: b.catalogue.Backend, Product: "virtrigaud mock", Version: "1.0", Endpoint: "memory",
		Catalogue: b.catalogue,
	}
	if b.options.Imitate != "" && b.options.Imitate != backends.Mock {
		info.Product = fmt.Sprintf("virtrigaud mock, imitating %s", b.options.Imitate)
	}
	if b.options.StateFile != "" {
		info.Endpoint = b.options.StateFile
	}
	return info, nil
}

// Close does nothing: every write is kept when it returns.
func (b *Backend) Close() error { return nil }
