package tags

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/vmware/govmomi/vapi/rest"
	"github.com/vmware/govmomi/vapi/tags"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/virtrigaud/terraform-provider-virtrigaud/backends"
	"github.com/virtrigaud/terraform-provider-virtrigaud/backends/vsphere/fault"
)

// The privileges that tagging needs, of which errors tell.
const (
	mayCreateCategory = "InventoryService.Tagging.CreateCategory"
	mayCreateTag      = "InventoryService.Tagging.CreateTag"
	mayAttach         = "InventoryService.Tagging.AttachTag"
)

// Set gives an object the tags that words mean, and takes all others away.
// Tags that do not exist are made. It calls for what differs only.
func (d *Directory) Set(ctx context.Context, client *rest.Client, ref types.ManagedObjectReference, words []string) error {
	want, err := d.resolve(ctx, client, words)
	if err != nil {
		return err
	}
	if err = d.set(ctx, client, ref, want); backends.CodeOf(err) != backends.NotFound {
		return err
	}
	d.forget(want) // one that was known is gone
	if want, err = d.resolve(ctx, client, words); err != nil {
		return err
	}
	return d.set(ctx, client, ref, want)
}

func (d *Directory) set(ctx context.Context, client *rest.Client, ref types.ManagedObjectReference, want []string) error {
	if err := d.vet(want); err != nil {
		return err
	}
	now, err := attached(ctx, client, []types.ManagedObjectReference{ref})
	if err != nil {
		return err
	}
	manager := tags.NewManager(client)
	// What goes goes first: of some categories an object has one tag at most.
	if gone := without(now[ref], want); len(gone) > 0 {
		if err := manager.DetachMultipleTagsFromObject(ctx, gone, ref); err != nil {
			return refused(err, "take tags away", mayAttach)
		}
	}
	if come := without(want, now[ref]); len(come) > 0 {
		if err := manager.AttachMultipleTagsToObject(ctx, come, ref); err != nil {
			return refused(err, "attach tags", mayAttach)
		}
	}
	return nil
}

// without returns those of all that are not in some.
func without(all, some []string) []string {
	var out []string
	for _, id := range all {
		if !slices.Contains(some, id) {
			out = append(out, id)
		}
	}
	return out
}

// vet refuses two tags of a category of which an object has one.
func (d *Directory) vet(ids []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	single := map[string]string{}
	for _, c := range d.categories {
		if c.single {
			single[c.name] = ""
		}
	}
	for _, id := range ids {
		t := d.tags[id]
		first, limited := single[t.Category]
		switch {
		case limited && first == "":
			single[t.Category] = t.Name
		case limited:
			return backends.Errorf(backends.Invalid, "", "", "of the category %q a VM can have one tag only, and %q and %q are asked for", t.Category, first, t.Name).
				Advise("Leave one out, or have the category allow several tags for an object.")
		}
	}
	return nil
}

// resolve returns the ids of the tags that words mean, without duplicates, and makes those that there are not.
func (d *Directory) resolve(ctx context.Context, client *rest.Client, words []string) ([]string, error) {
	if ids, missing := d.known(words); len(missing) == 0 {
		return ids, nil
	}
	end, err := d.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	ids, missing := d.known(words)
	for try := 0; len(missing) > 0; try++ {
		if err := d.look(ctx, client, missing); err != nil {
			return nil, err
		}
		if ids, missing = d.known(words); len(missing) == 0 {
			break
		}
		err := d.create(ctx, client, missing)
		if err != nil && (try > 0 || backends.CodeOf(err) != backends.Conflict) { // a Conflict: somebody has just made it
			return nil, err
		}
		ids, missing = d.known(words)
	}
	return ids, nil
}

// known returns the ids of words, and those of the words of which none is known.
func (d *Directory) known(words []string) (ids, missing []string) {
	for _, w := range words {
		id := ""
		for _, t := range Readings(w) {
			if known, ok := d.id(t); ok {
				id = known
				break
			}
		}
		switch {
		case id == "":
			missing = append(missing, w)
		case !slices.Contains(ids, id):
			ids = append(ids, id)
		}
	}
	return ids, missing
}

// look asks for all tags of the categories that words may mean.
func (d *Directory) look(ctx context.Context, client *rest.Client, words []string) error {
	manager := tags.NewManager(client)
	all, err := manager.ListCategories(ctx)
	if err == nil {
		err = d.askCategories(ctx, client, all)
	}
	if err != nil {
		return fault.Wrap(err, "", "")
	}
	var categories []string
	for _, w := range words {
		for _, t := range Readings(w) {
			if id, ok := d.categoryNamed(t.Category); ok && !slices.Contains(categories, id) {
				categories = append(categories, id)
			}
		}
	}
	for _, id := range categories {
		ids, err := manager.ListTagsForCategory(ctx, id)
		if err == nil {
			err = d.ask(ctx, client, ids)
		}
		if err != nil {
			return fault.Wrap(err, "", "")
		}
	}
	return nil
}

// create makes the tags that words mean, and their categories. Of several
// readings it takes one whose category exists.
func (d *Directory) create(ctx context.Context, client *rest.Client, words []string) error {
	manager := tags.NewManager(client)
	for _, w := range words {
		t := Readings(w)[0]
		for _, reading := range Readings(w) {
			if _, ok := d.categoryNamed(reading.Category); ok && reading.Category != Category {
				t = reading
				break
			}
		}
		in, ok := d.categoryNamed(t.Category)
		if !ok {
			made, err := manager.CreateCategory(ctx, &tags.Category{
				Name: t.Category, Description: "Made for tags of VMs by terraform-provider-virtrigaud.",
				Cardinality: "MULTIPLE", AssociableTypes: []string{"VirtualMachine"},
			})
			if err != nil {
				return refused(err, "make the tag category "+t.Category, mayCreateCategory)
			}
			d.addCategory(made, category{name: t.Category})
			in = made
		}
		id, err := manager.CreateTag(ctx, &tags.Tag{Name: t.Name, CategoryID: in})
		if err != nil {
			return refused(err, "make the tag "+t.String(), mayCreateTag)
		}
		d.addTag(id, t)
	}
	return nil
}

// refused names the privilege where vCenter says that one is missing.
func refused(err error, op, privilege string) error {
	var batch tags.BatchErrors
	if errors.As(err, &batch) {
		err = ofBatch(batch)
	}
	err = fault.Wrap(err, op, "")
	var e *backends.Error
	if errors.As(err, &e) && e.Code == backends.Auth {
		return e.Advise("Grant the account the privilege %s on vCenter's root, with propagation to children.", privilege)
	}
	return err
}

// ofBatch is what vCenter says of several tags as one error.
func ofBatch(batch tags.BatchErrors) error {
	code := backends.Invalid
	var texts []string
	for _, one := range batch {
		switch kind := strings.ToLower(one.Type + " " + one.Message); {
		case strings.Contains(kind, "notfound"), strings.Contains(kind, "not_found"), strings.Contains(kind, "not found"):
			code = backends.NotFound
		case strings.Contains(kind, "unauthorized"), strings.Contains(kind, "permission"), strings.Contains(kind, "privilege"):
			code = backends.Auth
		}
		texts = append(texts, strings.TrimRight(one.Message, ". "))
	}
	return backends.Errorf(code, "", "", "%s", strings.Join(texts, "; "))
}
