package backendtest_test

import (
	"context"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/mock"
)

type lazy struct{ *mock.Backend }

func (s lazy) RevertSnapshot(ctx context.Context, id backends.ID, snapshot string) error {
	list, err := s.ListSnapshots(ctx, id)
	if err != nil || slices.ContainsFunc(list, func(l backends.Snapshot) bool { return l.ID == snapshot }) {
		return err
	}
	return s.Backend.RevertSnapshot(ctx, id, snapshot)
}

// stretcher says that linked disks keep their size.
type stretcher struct{ *mock.Backend }

func (s stretcher) Info(ctx context.Context) (backends.Info, error) {
	info, err := s.Backend.Info(ctx)
	info.Catalogue.LinkedKeepSize = true
	return info, err
}

type flat struct{ *mock.Backend }

func (s flat) ListSnapshots(ctx context.Context, id backends.ID) ([]backends.Snapshot, error) {
	list, err := s.Backend.ListSnapshots(ctx, id)
	for i := 1; i < len(list); i++ {
		list[i].Parent = list[i-1].ID
	}
	return list, err
}

// layered tells the format of the layer that a snapshot puts above a disk.
type layered struct {
	*mock.Backend
	ids sync.Map
}

func (s *layered) CreateSnapshot(ctx context.Context, id backends.ID, spec backends.SnapshotSpec) (string, error) {
	s.ids.Store(id, true)
	return s.Backend.CreateSnapshot(ctx, id, spec)
}

func (s *layered) GetVMs(ctx context.Context, ids []backends.ID, a backends.Aspects) (map[backends.ID]backends.Result, error) {
	all, err := s.Backend.GetVMs(ctx, ids, a)
	for id, r := range all {
		if _, has := s.ids.Load(id); !has || r.VM == nil {
			continue
		}
		for key, d := range r.VM.Config.Disks {
			d.Format = new("a layer")
			r.VM.Config.Disks[key] = d
		}
	}
	return all, err
}

type twice struct{ *mock.Backend }

func (s twice) CreateSnapshot(ctx context.Context, id backends.ID, spec backends.SnapshotSpec) (string, error) {
	sid, err := s.Backend.CreateSnapshot(ctx, id, spec)
	if backends.CodeOf(err) == backends.Conflict {
		spec.Name += " (2)"
		return s.Backend.CreateSnapshot(ctx, id, spec)
	}
	return sid, err
}

type copier struct{ *mock.Backend }

func (s copier) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	c := *spec
	c.Linked = false
	return s.Backend.CloneVM(ctx, &c)
}

type mistaken struct{ *mock.Backend }

func (s mistaken) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	c := *spec
	if others, err := s.ListVMs(ctx, backends.VMFilter{Power: backends.Stopped}); err == nil && len(others) > 1 {
		for _, o := range others {
			if o.ID != c.Source && !o.Template {
				c.Source = o.ID
			}
		}
	}
	return s.Backend.CloneVM(ctx, &c)
}

type present struct{ *mock.Backend }

func (s present) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	c := *spec
	c.Snapshot = ""
	return s.Backend.CloneVM(ctx, &c)
}

// twin answers the addresses of a clone's source for the clone's own.
type twin struct {
	*mock.Backend
	sources sync.Map
}

func (s *twin) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	id, err := s.Backend.CloneVM(ctx, spec)
	s.sources.Store(id, spec.Source)
	return id, err
}

func (s *twin) GetVMs(ctx context.Context, ids []backends.ID, a backends.Aspects) (map[backends.ID]backends.Result, error) {
	all, err := s.Backend.GetVMs(ctx, ids, a)
	for id, r := range all {
		src, cloned := s.sources.Load(id)
		if !cloned || r.VM == nil {
			continue
		}
		from, err := s.Backend.GetVMs(ctx, []backends.ID{src.(backends.ID)}, a)
		if err != nil || from[src.(backends.ID)].VM == nil {
			continue
		}
		for key, n := range from[src.(backends.ID)].VM.Networks {
			if mine, ok := r.VM.Networks[key]; ok {
				mine.MAC = n.MAC
				r.VM.Networks[key] = mine
			}
		}
	}
	return all, err
}

type forgetful struct{ *mock.Backend }

func (s forgetful) DeleteVM(ctx context.Context, id backends.ID, o backends.DeleteOptions) error {
	err := s.Backend.DeleteVM(ctx, id, o)
	if backends.CodeOf(err) == backends.Precondition {
		return nil
	}
	return err
}

type distracted struct{ *mock.Backend }

func (s distracted) CloneVM(ctx context.Context, spec *backends.CloneSpec) (backends.ID, error) {
	id, err := s.Backend.CloneVM(context.WithoutCancel(ctx), spec)
	if ctx.Err() != nil {
		return "", backends.Wrap(ctx.Err(), "clone", spec.Spec.Name)
	}
	return id, err
}

type credulous struct{ *mock.Backend }

func (s credulous) ImportImage(ctx context.Context, spec backends.ImageSpec, source backends.ImageSource) (backends.Image, error) {
	if open := source.OpenAppliance; open != nil {
		source.OpenAppliance = func(ctx context.Context) (*backends.Appliance, error) {
			a, err := open(ctx)
			if err != nil {
				return nil, err
			}
			next := a.Next
			a.Next = func(ctx context.Context) (string, *backends.Content, error) {
				key, c, err := next(ctx)
				if err != nil {
					err = io.EOF
				}
				return key, c, err
			}
			return a, nil
		}
	}
	return s.Backend.ImportImage(ctx, spec, source)
}

type hasty struct{ *mock.Backend }

func (s hasty) SetPower(ctx context.Context, id backends.ID, a backends.PowerAction) error {
	got, err := s.GetVMs(ctx, []backends.ID{id}, backends.AspectRuntime)
	if err == nil && got[id].VM != nil && got[id].VM.Template {
		return nil
	}
	return s.Backend.SetPower(ctx, id, a)
}

type undead struct{ *mock.Backend }

func (s undead) Console(ctx context.Context, id backends.ID) (backends.Console, error) {
	c, err := s.Backend.Console(ctx, id)
	if backends.CodeOf(err) == backends.Precondition {
		return backends.Console{Type: "vnc", URL: "vnc://localhost:1"}, nil
	}
	return c, err
}

type generous struct{ *mock.Backend }

func (s generous) CreateVM(ctx context.Context, spec *backends.VMSpec) (backends.ID, error) {
	c := *spec
	c.Disks = maps.Clone(spec.Disks)
	for key, d := range c.Disks {
		if d.Volume != nil {
			d.Shared = new(true)
			c.Disks[key] = d
		}
	}
	return s.Backend.CreateVM(ctx, &c)
}

type scatterer struct{ *mock.Backend }

func (s scatterer) Reconfigure(ctx context.Context, id backends.ID, r backends.Reconfiguration) error {
	r.Changes = slices.DeleteFunc(slices.Clone(r.Changes), func(c backends.Change) bool { return c.Path.Generic() == "disks.slot" })
	return s.Backend.Reconfigure(ctx, id, r)
}
