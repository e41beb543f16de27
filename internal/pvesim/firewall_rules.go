package pvesim

import (
	"regexp"
	"slices"
)

var groupName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9\-_]+$`)

// handleRules registers the endpoints of a list of rules.
func handleRules(base string, rules func(r *request) (*[]section, error)) {
	with := func(f func(r *request, rules *[]section) (any, error)) handler {
		return func(r *request) (any, error) {
			list, err := rules(r)
			if err != nil {
				return nil, err
			}
			return f(r, list)
		}
	}
	handle("GET "+base, with(listRules))
	handle("POST "+base, with(makeRule))
	handle("GET "+base+"/{pos}", with(readRule))
	handle("PUT "+base+"/{pos}", with(changeRule))
	handle("DELETE "+base+"/{pos}", with(removeRule))
}

func firewallRule(rule section, digest string) map[string]any {
	answer := rule.show("enable")
	answer["digest"] = digest
	return answer
}

func listRules(_ *request, rules *[]section) (any, error) {
	list, digest := []map[string]any{}, digestOf(*rules...)
	for i, rule := range *rules {
		one := firewallRule(rule, digest)
		one["pos"] = i
		list = append(list, one)
	}
	return list, nil
}

// position is the rule that the path names, by its place.
func (r *request) position(rules []section) (int, error) {
	pos := r.p.num("pos", -1)
	if pos < 0 || pos >= len(rules) {
		return 0, die("no rule at position %d", pos)
	}
	return pos, nil
}

func readRule(r *request, rules *[]section) (any, error) {
	pos, err := r.position(*rules)
	if err != nil {
		return nil, err
	}
	answer := firewallRule((*rules)[pos], digestOf(*rules...))
	answer["pos"] = r.p["pos"]
	return answer, nil
}

// pathKeys are the parameters that are no part of what they configure.
var pathKeys = []string{"node", "vmid", "vnet", "group", "pos", "moveto"}

// makeRule puts a rule first, or where "pos" says.
func makeRule(r *request, rules *[]section) (any, error) {
	if err := r.sameDigest(digestOf(*rules...)); err != nil {
		return nil, err
	}
	rule := section{"enable": "0"}
	rule.change(r.p, pathKeys...)
	if err := r.checkFirewallRule(rule); err != nil {
		return nil, err
	}
	at := min(max(r.p.num("pos", 0), 0), len(*rules))
	*rules = slices.Insert(*rules, at, rule)
	return nil, nil
}

func changeRule(r *request, rules *[]section) (any, error) {
	if err := r.sameDigest(digestOf(*rules...)); err != nil {
		return nil, err
	}
	pos, err := r.position(*rules)
	if err != nil {
		return nil, err
	}
	old := (*rules)[pos]
	if r.p.has("moveto") {
		to := r.p.num("moveto", 0)
		if to > pos {
			to--
		}
		*rules = slices.Delete(*rules, pos, pos+1)
		*rules = slices.Insert(*rules, min(max(to, 0), len(*rules)), old)
		return nil, nil
	}
	rule := section{}
	for k, v := range old {
		rule[k] = v
	}
	rule.change(r.p, pathKeys...)
	if err := r.checkFirewallRule(rule); err != nil {
		return nil, err
	}
	(*rules)[pos] = rule
	return nil, nil
}

func removeRule(r *request, rules *[]section) (any, error) {
	if err := r.sameDigest(digestOf(*rules...)); err != nil {
		return nil, err
	}
	pos, err := r.position(*rules)
	if err != nil {
		return nil, err
	}
	*rules = slices.Delete(*rules, pos, pos+1)
	return nil, nil
}

// checkFirewallRule refuses a rule that cannot be.
func (r *request) checkFirewallRule(rule section) error {
	problems := map[string]string{}
	switch action := rule["action"]; {
	case rule["type"] == "group":
		switch {
		case !groupName.MatchString(action):
			problems["action"] = "invalid security group name '" + action + "'"
		case r.firewall.groups[action] == nil:
			problems["action"] = "no such security group"
		}
	case !slices.Contains([]string{"ACCEPT", "DROP", "REJECT"}, action):
		problems["action"] = "unknown action '" + action + "'"
	}
	if m := rule["macro"]; m != "" && macros[m] == "" {
		problems["macro"] = "unknown macro '" + m + "'"
	}
	for _, port := range []string{"dport", "sport"} {
		if rule[port] != "" && rule["proto"] == "" && rule["macro"] == "" {
			problems["proto"] = "missing property - '" + port + "' requires this property"
		}
	}
	if i := rule["iface"]; i != "" && r.p.has("vmid") {
		number, _ := regexp.MatchString(`^net\d+$`, i)
		if !number {
			problems["iface"] = "value does not match the regex pattern '^net\\d+$'"
		}
	}
	if len(problems) > 0 {
		return wrong(problems)
	}
	return nil
}

// ipVersion is 4 or 6.
func ipVersion(cidr string) int {
	for _, c := range cidr {
		if c == ':' {
			return 6
		}
	}
	return 4
}
