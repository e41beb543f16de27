package tags

import (
	"context"
	"maps"
	"sync"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

const (
	pageSize = 500 // VMs whose tags one call asks for
	parallel = 8   // calls at once for the names of tags
)

// Directory knows the tags of one vCenter by their ids, and asks for those that it does not know yet. The zero value knows none. It is safe for parallel use.
type Directory struct {
	once sync.Once
	turn chan struct{} // held by who asks or makes

	mu         sync.Mutex
	tags       map[string]Tag      // by id
	ids        map[Tag]string      // the other way
	categories map[string]category // by id
}

type category struct {
	name   string
	single bool // an object has one tag of it at most
}

// begin waits until nobody else asks for names, and returns what ends the turn.
func (d *Directory) begin(ctx context.Context) (end func(), err error) {
	d.once.Do(func() { d.turn = make(chan struct{}, 1) })
	select {
	case d.turn <- struct{}{}:
		return func() { <-d.turn }, nil
	case <-ctx.Done():
		return nil, backends.Wrap(ctx.Err(), "", "")
	}
}

func (d *Directory) tag(id string) (Tag, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.tags[id]
	return t, ok
}

func (d *Directory) id(t Tag) (string, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, ok := d.ids[t]
	return id, ok
}

func (d *Directory) category(id string) (category, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.categories[id]
	return c, ok
}

// categoryNamed returns the id of a category.
func (d *Directory) categoryNamed(name string) (id string, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, c := range d.categories {
		if c.name == name {
			return id, true
		}
	}
	return "", false
}

func (d *Directory) addTag(id string, t Tag) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tags == nil {
		d.tags, d.ids = map[string]Tag{}, map[Tag]string{}
	}
	d.tags[id], d.ids[t] = t, id
}

func (d *Directory) addCategory(id string, c category) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.categories == nil {
		d.categories = map[string]category{}
	}
	d.categories[id] = c
}

// forget drops tags that are gone, and their categories, which may be too.
func (d *Directory) forget(ids []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		t := d.tags[id]
		delete(d.tags, id)
		delete(d.ids, t)
		maps.DeleteFunc(d.categories, func(_ string, c category) bool { return c.name == t.Category })
	}
}

// Of returns the tags of objects: one call for some hundreds, and one for each tag and category that was not seen before. Tags
// that the account may not see are left out.
func (d *Directory) Of(ctx context.Context, client *rest.Client, refs []types.ManagedObjectReference) (map[types.ManagedObjectReference][]Tag, error) {
	attached, err := attached(ctx, client, refs)
	if err != nil {
		return nil, err
	}
	var unknown []string
	seen := map[string]bool{}
	for _, ids := range attached {
		for _, id := range ids {
			if _, known := d.tag(id); !known && !seen[id] {
				unknown, seen[id] = append(unknown, id), true
			}
		}
	}
	if len(unknown) > 0 {
		if err := d.learn(ctx, client, unknown); err != nil {
			return nil, err
		}
	}
	all := make(map[types.ManagedObjectReference][]Tag, len(attached))
	for ref, ids := range attached {
		for _, id := range ids {
			if t, known := d.tag(id); known {
				all[ref] = append(all[ref], t)
			}
		}
	}
	return all, nil
}

// attached returns the ids of the tags of objects.
func attached(ctx context.Context, client *rest.Client, refs []types.ManagedObjectReference) (map[types.ManagedObjectReference][]string, error) {
	all := make(map[types.ManagedObjectReference][]string, len(refs))
	for from := 0; from < len(refs); from += pageSize {
		page := make([]mo.Reference, 0, pageSize)
		for _, ref := range refs[from:min(from+pageSize, len(refs))] {
			page = append(page, ref)
		}
		answer, err := tags.NewManager(client).ListAttachedTagsOnObjects(ctx, page)
		if err != nil {
			return nil, fault.Wrap(err, "", "")
		}
		for _, one := range answer {
			all[one.ObjectID.Reference()] = one.TagIDs
		}
	}
	return all, nil
}

// learn asks for the names of tags.
func (d *Directory) learn(ctx context.Context, client *rest.Client, ids []string) error {
	end, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return d.ask(ctx, client, ids)
}

// ask asks for the names of those of the tags that are not known. What vanished, or may not be seen, stays unknown.
func (d *Directory) ask(ctx context.Context, client *rest.Client, ids []string) error {
	manager := tags.NewManager(client)
	var found sync.Map
	err := each(ids, func(id string) error {
		if _, known := d.tag(id); known {
			return nil
		}
		t, err := manager.GetTag(ctx, id)
		if err = unlessHidden(err); err == nil && t != nil {
			found.Store(id, t)
		}
		return err
	})
	if err != nil {
		return err
	}
	var categories []string
	for _, id := range ids {
		if t, ok := found.Load(id); ok {
			categories = append(categories, t.(*tags.Tag).CategoryID)
		}
	}
	if err := d.askCategories(ctx, client, categories); err != nil {
		return err
	}
	for _, id := range ids {
		if t, ok := found.Load(id); ok {
			if c, known := d.category(t.(*tags.Tag).CategoryID); known {
				d.addTag(id, Tag{c.name, t.(*tags.Tag).Name})
			}
		}
	}
	return nil
}

func (d *Directory) askCategories(ctx context.Context, client *rest.Client, ids []string) error {
	manager := tags.NewManager(client)
	open := map[string]bool{}
	for _, id := range ids {
		if _, known := d.category(id); !known {
			open[id] = true
		}
	}
	left := make([]string, 0, len(open))
	for id := range open {
		left = append(left, id)
	}
	return each(left, func(id string) error {
		c, err := manager.GetCategory(ctx, id)
		if err = unlessHidden(err); err == nil && c != nil {
			d.addCategory(id, category{c.Name, c.Cardinality == "SINGLE"})
		}
		return err
	})
}

// unlessHidden forgives that something vanished or may not be seen.
func unlessHidden(err error) error {
	err = fault.Wrap(err, "", "")
	if code := backends.CodeOf(err); code == backends.NotFound || code == backends.Auth {
		return nil
	}
	return err
}

// each calls f for all, several at once, and returns the first error.
func each(all []string, f func(string) error) error {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var first error
	slots := make(chan struct{}, parallel)
	for _, one := range all {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			if err := f(one); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first = err
				}
			}
		})
	}
	wait.Wait()
	return first
}
