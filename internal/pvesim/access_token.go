package pvesim

import (
	"maps"
	"slices"
	"strconv"
)

func init() {
	const path = "/access/users/{userid}/token"
	handle("GET "+path, listTokens)
	handle("GET "+path+"/{tokenid}", readToken)
	handle("POST "+path+"/{tokenid}", createToken)
	handle("PUT "+path+"/{tokenid}", updateToken)
	handle("DELETE "+path+"/{tokenid}", deleteToken)
}

// shown is what the API says of a token.
func (t *token) shown() map[string]any {
	m := map[string]any{"privsep": bit(t.privsep), "expire": t.expire}
	if t.comment != "" {
		m["comment"] = t.comment
	}
	return m
}

func listTokens(r *request) (any, error) {
	u, err := r.access.user(r.p["userid"])
	if err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(u.tokens)) {
		shown := u.tokens[name].shown()
		shown["tokenid"] = name
		list = append(list, shown)
	}
	return list, nil
}

func readToken(r *request) (any, error) {
	t, err := r.access.token(r.p["userid"], r.p["tokenid"])
	if err != nil {
		return nil, err
	}
	return t.shown(), nil
}

// createToken makes a token. Its answer is the only one that has the secret, and shows what was sent as it was.
func createToken(r *request) (any, error) {
	id, name := r.p["userid"], r.p["tokenid"]
	u, err := r.access.user(id)
	if err != nil {
		return nil, err
	}
	if u.tokens[name] != nil {
		return nil, wrongParam("tokenid", "Token already exists.")
	}
	t := &token{secret: newUUID(), privsep: !r.p.has("privsep") || r.p.flag("privsep"), comment: r.p["comment"]}
	t.expire, _ = strconv.ParseInt(r.p["expire"], 10, 64)
	if u.tokens == nil {
		u.tokens = map[string]*token{}
	}
	u.tokens[name] = t
	info := map[string]any{"privsep": bit(t.privsep)}
	if t.comment != "" {
		info["comment"] = t.comment
	}
	for _, key := range []string{"privsep", "expire"} {
		if r.p.has(key) {
			info[key] = r.p[key]
		}
	}
	return map[string]any{"full-tokenid": id + "!" + name, "value": t.secret, "info": info}, nil
}

func updateToken(r *request) (any, error) {
	id, name := r.p["userid"], r.p["tokenid"]
	t, err := r.access.token(id, name)
	if err != nil {
		return nil, err
	}
	for _, key := range splitList(r.p["delete"]) {
		if key != "comment" {
			return nil, wrongParam("delete", "unknown option '%s'", key)
		}
		t.comment = ""
	}
	if r.p.has("privsep") {
		t.privsep = r.p.flag("privsep")
	}
	if r.p.has("expire") {
		t.expire, _ = strconv.ParseInt(r.p["expire"], 10, 64)
	}
	if r.p.has("comment") {
		t.comment = r.p["comment"]
	}
	shown := t.shown()
	for _, key := range []string{"privsep", "expire"} {
		if r.p.has(key) {
			shown[key] = r.p[key]
		}
	}
	if r.p.flag("regenerate") {
		t.secret = newUUID()
		shown["value"], shown["full-tokenid"] = t.secret, id+"!"+name
	}
	return shown, nil
}

func deleteToken(r *request) (any, error) {
	id, name := r.p["userid"], r.p["tokenid"]
	if _, err := r.access.token(id, name); err != nil {
		return nil, err
	}
	delete(r.access.users[id].tokens, name)
	for _, g := range r.access.acl {
		delete(g.tokens, id+"!"+name)
	}
	return nil, nil
}
