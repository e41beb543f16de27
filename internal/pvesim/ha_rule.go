package pvesim

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

func init() {
	handle("GET /cluster/ha/rules", haRules)
	handle("POST /cluster/ha/rules", haCreateRule)
	handle("GET /cluster/ha/rules/{rule}", haRule)
	handle("PUT /cluster/ha/rules/{rule}", haUpdateRule)
	handle("DELETE /cluster/ha/rules/{rule}", haDeleteRule)
}

// haRuleKeys are the optional and the required keys of a kind of rule.
func haRuleKeys(kind string) (optional, required []string) {
	if kind == "resource-affinity" {
		return []string{"comment", "disable"}, []string{"resources", "affinity"}
	}
	return []string{"comment", "disable", "strict"}, []string{"resources", "nodes"}
}

func (r *request) showRule(id string) map[string]any {
	shown := haShow(r.ha.rules[id], map[string]any{
		"rule": id, "digest": haDigest(r.ha.rules), "order": slices.Index(r.ha.order, id) + 1,
	})
	if errs := r.ruleErrors(id); len(errs) > 0 {
		shown["errors"] = map[string]any{"resources": errs}
	}
	return shown
}

func haRules(r *request) (any, error) {
	list := []map[string]any{}
	for _, id := range r.ha.order {
		rule := r.ha.rules[id]
		if kind := r.p["type"]; kind != "" && kind != rule["type"] {
			continue
		}
		if sid := r.p["resource"]; sid != "" && !slices.Contains(splitList(rule["resources"]), sid) {
			continue
		}
		list = append(list, r.showRule(id))
	}
	return list, nil
}

func haRule(r *request) (any, error) {
	if r.ha.rules[r.p["rule"]] == nil {
		return nil, die("no such ha rule '%s'", r.p["rule"])
	}
	return r.showRule(r.p["rule"]), nil
}

// ruleErrors are why a rule cannot hold, beside the others.
func (c *cluster) ruleErrors(id string) []string {
	rule := c.ha.rules[id]
	if rule["disable"] == "1" {
		return nil
	}
	var errs []string
	mine := splitList(rule["resources"])
	if rule["type"] == "node-affinity" {
		for _, sid := range mine {
			for other, o := range c.ha.rules {
				if other != id && o["type"] == "node-affinity" && o["disable"] != "1" && slices.Contains(splitList(o["resources"]), sid) {
					errs = append(errs, "resource '"+sid+"' is already used in another node affinity rule")
				}
			}
		}
		return errs
	}
	if len(mine) < 2 {
		errs = append(errs, "rule is ineffective as there are less than two resources")
	}
	if rule["affinity"] == "negative" && len(mine) > len(c.nodes) {
		errs = append(errs, "rule defines more resources than available nodes")
	}
	opposite := map[string]string{"positive": "negative", "negative": "positive"}[rule["affinity"]]
	for _, o := range c.ha.rules {
		if o["affinity"] != opposite || o["disable"] == "1" {
			continue
		}
		common := 0
		for _, sid := range splitList(o["resources"]) {
			if slices.Contains(mine, sid) {
				common++
			}
		}
		if common >= 2 {
			errs = append(errs, "rule shares two or more resources with a "+opposite+" resource affinity rule")
		}
	}
	return errs
}

// checkRule refuses a rule that names what is not there, or that cannot hold.
func (r *request) checkRule(id string, s section) error {
	if sids := splitList(s["resources"]); len(sids) == 0 {
		return die("no resources were specified")
	} else if strange := slices.DeleteFunc(sids, func(sid string) bool { return r.ha.resources[sid] != nil }); len(strange) > 0 {
		slices.Sort(strange)
		return die("cannot use unmanaged resource(s) %s.", strings.Join(strange, ", "))
	}
	if nodes, has := s["nodes"]; has {
		var strange []string
		for name := range nodePriorities(nodes) {
			if r.node(name) == nil {
				strange = append(strange, name)
			}
		}
		if len(strange) > 0 {
			slices.Sort(strange)
			return die("cannot use non-existent node(s) %s.", strings.Join(strange, ", "))
		}
	}
	before, there := r.ha.rules[id]
	r.ha.rules[id] = s
	errs := r.ruleErrors(id)
	if len(errs) == 0 {
		return nil
	}
	delete(r.ha.rules, id)
	if there {
		r.ha.rules[id] = before
	}
	return &refusal{
		status: 400, reason: "Rule '" + id + "' is invalid.", errors: map[string]string{"resources": strings.Join(errs, ", ")},
	}
}

// failedRule puts what was tried before a refusal, which keeps its status and the parameters to blame.
func failedRule(what string, err error) error {
	var r *refusal
	if errors.As(err, &r) && len(r.errors) > 0 {
		return &refusal{status: r.status, reason: what + ": " + r.reason, errors: r.errors}
	}
	return prefixed(what, err)
}

// normal writes the lists of a rule as its file has them.
func (s section) normal() section {
	sids := splitList(s["resources"])
	slices.Sort(sids)
	s["resources"] = strings.Join(slices.Compact(sids), ",")
	if nodes, has := s["nodes"]; has {
		list := splitList(nodes)
		slices.Sort(list)
		s["nodes"] = strings.Join(slices.Compact(list), ",")
	}
	if s["disable"] == "0" {
		delete(s, "disable")
	}
	return s
}

func haCreateRule(r *request) (any, error) {
	const what = "create ha rule failed"
	id, kind := r.p["rule"], r.p["type"]
	optional, required := haRuleKeys(kind)
	for _, key := range required {
		if !r.p.has(key) {
			return nil, wrongParam(key, "property is missing and it is not optional")
		}
	}
	for _, key := range []string{"nodes", "strict", "affinity"} {
		if r.p.has(key) && !slices.Contains(optional, key) && !slices.Contains(required, key) {
			return nil, die("unexpected property '%s'", key)
		}
	}
	if r.ha.rules[id] != nil {
		return nil, die("%s: HA rule '%s' already defined", what, id)
	}
	s := section{"type": kind}
	if err := haUpdate(s, r.p, optional, required); err != nil {
		return nil, err
	}
	if err := r.checkRule(id, s.normal()); err != nil {
		return nil, failedRule(what, err)
	}
	r.ha.order = append(r.ha.order, id)
	r.haWake()
	return nil, nil
}

func haUpdateRule(r *request) (any, error) {
	id := r.p["rule"]
	change := func() error {
		if err := haModified(r.p, haDigest(r.ha.rules)); err != nil {
			return err
		}
		if r.ha.rules[id] == nil {
			return die("HA rule '%s' does not exist", id)
		}
		s := maps.Clone(r.ha.rules[id])
		optional, required := haRuleKeys(s["type"])
		if err := haUpdate(s, r.p, optional, required); err != nil {
			return err
		}
		if err := r.checkRule(id, s.normal()); err != nil {
			return err
		}
		r.haWake()
		return nil
	}
	return nil, failedRule("update HA rules failed", change())
}

func haDeleteRule(r *request) (any, error) {
	r.haDropRule(r.p["rule"])
	r.haWake()
	return nil, nil
}
