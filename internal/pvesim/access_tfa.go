package pvesim

import (
	"maps"
	"slices"
	"strconv"
)

func init() {
	handle("GET /access/tfa", listFactorsOfAll)
	handle("GET /access/tfa/{userid}", listFactors)
	handle("POST /access/tfa/{userid}", addFactor)
	handle("GET /access/tfa/{userid}/{id}", readFactor)
	handle("PUT /access/tfa/{userid}/{id}", updateFactor)
	handle("DELETE /access/tfa/{userid}/{id}", removeFactor)
	handle("GET /access/users/{userid}/tfa", factorTypes)
}

func (f *factor) shown() map[string]any {
	m := map[string]any{"id": f.id, "type": "totp", "description": f.description, "created": f.created}
	if f.disabled {
		m["enable"] = 0
	}
	return m
}

func (u *user) factors() []map[string]any {
	list := []map[string]any{}
	for _, f := range u.second {
		list = append(list, f.shown())
	}
	return list
}

func listFactorsOfAll(r *request) (any, error) {
	list := []map[string]any{}
	for _, id := range slices.Sorted(maps.Keys(r.access.users)) {
		u := r.access.users[id]
		if len(u.second) == 0 || id != r.user.authid() && !r.mayAny("/access/groups", "User.Modify", "Sys.Audit") {
			continue
		}
		list = append(list, map[string]any{"userid": id, "entries": u.factors()})
	}
	return list, nil
}

func listFactors(r *request) (any, error) {
	u, err := r.access.user(r.p["userid"])
	if err != nil {
		return nil, err
	}
	return u.factors(), nil
}

// reauthenticate asks who is not root for his password before factors change.
func (r *request) reauthenticate() error {
	switch {
	case r.user.root():
		return nil
	case r.p["userid"] == "root@pam":
		return forbidden("")
	case !r.p.has("password"):
		return wrongParam("password", "password is required to modify user")
	case r.access.password[r.user.name] != r.p["password"]:
		return &refusal{status: 401, message: "authentication failure\n"}
	}
	return nil
}

// addFactor adds codes; other kinds of factors are not simulated.
func addFactor(r *request) (any, error) {
	u, err := r.access.user(r.p["userid"])
	if err == nil {
		err = r.reauthenticate()
	}
	if err != nil {
		return nil, err
	}
	if r.p["type"] != "totp" {
		return nil, raise(501, "factors of type '%s' are not simulated", r.p["type"])
	}
	if r.p["totp"] == "" {
		return nil, die("missing 'totp' parameter")
	}
	f, err := parseFactor(r.p["totp"])
	if err != nil {
		return nil, err
	}
	if !f.accepts(r.p["value"]) {
		return nil, die("failed to verify TOTP challenge")
	}
	f.id, f.description = "totp:"+strconv.Itoa(len(u.second)), r.p["description"]
	u.second = append(u.second, f)
	return map[string]any{"id": f.id}, nil
}

// factor is the factor of the path.
func (r *request) factor() (*user, int, error) {
	u, err := r.access.user(r.p["userid"])
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(u.second, func(f *factor) bool { return f.id == r.p["id"] })
	if i < 0 {
		return nil, 0, raise(404, "no such tfa entry '%s'", r.p["id"])
	}
	return u, i, nil
}

func readFactor(r *request) (any, error) {
	u, i, err := r.factor()
	if err != nil {
		return nil, err
	}
	return u.second[i].shown(), nil
}

func updateFactor(r *request) (any, error) {
	u, i, err := r.factor()
	if err == nil {
		err = r.reauthenticate()
	}
	if err != nil {
		return nil, err
	}
	if r.p.has("description") {
		u.second[i].description = r.p["description"]
	}
	if r.p.has("enable") {
		u.second[i].disabled = !r.p.flag("enable")
	}
	return nil, nil
}

func removeFactor(r *request) (any, error) {
	u, i, err := r.factor()
	if err == nil {
		err = r.reauthenticate()
	}
	if err != nil {
		return nil, err
	}
	u.second = slices.Delete(u.second, i, i+1)
	return nil, nil
}

func factorTypes(r *request) (any, error) {
	u, err := r.access.user(r.p["userid"])
	if err != nil {
		return nil, err
	}
	types := []string{}
	if len(u.second) > 0 {
		types = append(types, "totp")
	}
	return map[string]any{"realm": nil, "user": "oath", "types": types}, nil
}
