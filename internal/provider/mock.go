package provider

import (
	"context"
	"time"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

// mockModel is the mock object of the provider block.
type mockModel struct {
	StateFile  *string      `tfsdk:"state_file"`
	Imitate    *string      `tfsdk:"imitate"`
	Latency    *string      `tfsdk:"latency"`
	Jitter     *string      `tfsdk:"jitter"`
	Seed       *int64       `tfsdk:"seed"`
	SampleData *bool        `tfsdk:"sample_data"`
	Faults     []faultModel `tfsdk:"faults"`
}

type faultModel struct {
	Operation   *string  `tfsdk:"operation"`
	Name        *string  `tfsdk:"name"`
	Code        *string  `tfsdk:"code"`
	Message     *string  `tfsdk:"message"`
	Skip        *int64   `tfsdk:"skip"`
	Count       *int64   `tfsdk:"count"`
	Probability *float64 `tfsdk:"probability"`
}

func (m *mockModel) resolve(r *resolver) func(context.Context) (backends.Backend, error) {
	if m == nil {
		m = &mockModel{}
	}
	opts := mock.Options{
		StateFile:  r.text(m.StateFile, "VIRTRIGAUD_MOCK_STATE_FILE"),
		Imitate:    backends.Kind(r.text(m.Imitate, "VIRTRIGAUD_MOCK_IMITATE")),
		Latency:    r.duration(m.Latency, "VIRTRIGAUD_MOCK_LATENCY", time.Duration(0)),
		Jitter:     r.duration(m.Jitter, "VIRTRIGAUD_MOCK_JITTER", time.Duration(0)),
		Seed:       r.integer(m.Seed, "VIRTRIGAUD_MOCK_SEED", 0),
		SampleData: r.flag(m.SampleData, "VIRTRIGAUD_MOCK_SAMPLE_DATA"),
	}
	for _, f := range m.Faults {
		opts.Faults = append(opts.Faults, mock.Fault{
			Operation: deref(f.Operation), Name: deref(f.Name), Code: backends.Code(deref(f.Code)), Message: deref(f.Message),
			Skip: int(deref(f.Skip)), Count: int(deref(f.Count)), Probability: deref(f.Probability),
		})
	}
	return func(context.Context) (backends.Backend, error) { return mock.New(opts) }
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
