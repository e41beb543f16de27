package pvesim

import (
	"maps"
	"strings"

	"github.com/virtrigaud/terraform-provider-virtrigaud/internal/pvesim/apischema"
)

func init() {
	handleNotifications("/cluster/notifications/matchers", "matcher")
	for kind := range strings.FieldsSeq("gotify sendmail smtp webhook") {
		handleNotifications("/cluster/notifications/endpoints/"+kind, kind)
	}
}

// handleNotifications registers the endpoints of the matchers, or of the targets of one kind. They are kept, and nothing is sent.
func handleNotifications(base, kind string) {
	key := func(r *request) string { return kind + " " + r.p["name"] }
	existing := func(f func(r *request, o *objects, s section) (any, error)) handler {
		return func(r *request) (any, error) {
			s := r.misc.notifications.ids[key(r)]
			if s == nil {
				return nil, raise(404, "could not find %s '%s'", kind, r.p["name"])
			}
			return f(r, r.misc.notifications, s)
		}
	}
	show := func(o *objects, id string) map[string]any {
		answer := o.ids[id].show("disable", "invert-match", "port")
		for _, secret := range []string{"token", "password", "secret"} {
			delete(answer, secret)
		}
		for _, list := range []string{"match-field", "match-severity", "match-calendar", "target", "mailto", "mailto-user", "header"} {
			if v := o.ids[id][list]; v != "" {
				answer[list] = apischema.Split(v)
			}
		}
		answer["name"], answer["origin"] = strings.TrimPrefix(id, kind+" "), "user-created"
		return answer
	}
	handle("GET "+base, func(r *request) (any, error) {
		list := []map[string]any{}
		for _, id := range r.misc.notifications.names() {
			if strings.HasPrefix(id, kind+" ") {
				list = append(list, show(r.misc.notifications, id))
			}
		}
		return list, nil
	})
	handle("POST "+base, func(r *request) (any, error) {
		o := r.misc.notifications
		if o.ids[key(r)] != nil {
			return nil, raise(400, "could not create %s: '%s' already exists", kind, r.p["name"])
		}
		o.ids[key(r)] = section{}
		o.ids[key(r)].change(r.p, "name")
		return nil, nil
	})
	handle("GET "+base+"/{name}", existing(func(r *request, o *objects, _ section) (any, error) {
		answer := show(o, key(r))
		answer["digest"] = o.digest()
		return answer, nil
	}))
	handle("PUT "+base+"/{name}", existing(func(r *request, o *objects, s section) (any, error) {
		if err := r.sameDigest(o.digest()); err != nil {
			return nil, err
		}
		s = maps.Clone(s)
		s.change(r.p, "name")
		o.ids[key(r)] = s
		return nil, nil
	}))
	handle("DELETE "+base+"/{name}", existing(func(r *request, o *objects, _ section) (any, error) {
		delete(o.ids, key(r))
		return nil, nil
	}))
}
