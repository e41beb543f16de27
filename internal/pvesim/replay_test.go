package pvesim

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The share of all recorded exchanges, and of those with endpoints that the backend uses, that has to agree, in percent.
const (
	floorAll     = 97
	floorBackend = 98
)

// score counts exchanges.
type score struct{ agree, all int }

func (s score) share() float64 {
	if s.all == 0 {
		return 100
	}
	return 100 * float64(s.agree) / float64(s.all)
}

func (s score) String() string { return fmt.Sprintf("%5.1f %% (%d of %d)", s.share(), s.agree, s.all) }

func (s *score) count(agrees bool) {
	s.all++
	if agrees {
		s.agree++
	}
}

// TestReplay replays the recordings of a real Proxmox VE against fresh servers, and shows where they differ:
//
//	go test ./internal/pvesim -run 'TestReplay/05' -v
func TestReplay(t *testing.T) {
	all := recordings(t)
	var mu sync.Mutex
	total, backend, scores := score{}, score{}, map[string]score{}
	t.Cleanup(func() { // the scenarios run side by side once this function is over
		for _, name := range slices.Sorted(maps.Keys(scores)) {
			t.Logf("%-40s %v", name, scores[name])
		}
		t.Logf("%-40s %v", "endpoints that the backend uses", backend)
		t.Logf("%-40s %v", "all", total)
		if len(scores) < len(all) {
			return // a part of them was asked for
		}
		if total.share() < floorAll || backend.share() < floorBackend {
			t.Errorf("less agrees than has to: %d %% of all, %d %% with endpoints that the backend uses", floorAll, floorBackend)
		}
	})
	for name, list := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mine, used := replay(t, name, list)
			mu.Lock()
			defer mu.Unlock()
			scores[name] = mine
			total = score{total.agree + mine.agree, total.all + mine.all}
			backend = score{backend.agree + used.agree, backend.all + used.all}
		})
	}
}

// replay replays one scenario.
func replay(t *testing.T, name string, list []exchange) (mine, used score) {
	sc := scenarioOf(name)
	s := Start(t, sc.options())
	p := &player{scenario: sc, server: s, caller: newCaller(t, s), names: newNames(list), list: list, known: knownIn(list)}
	p.prepare(t)
	for i, x := range sc.order(list) {
		path, _, _ := strings.Cut(x.Path, "?")
		route := x.Method + " " + path
		if e, ok := s.match(x.Method, strings.ReplaceAll(path, "%2F", "/")); ok {
			route = e.Route()
		}
		difference := p.play(t.Context(), i, x, route)
		if why := sc.unlike[i]; why != "" {
			continue
		}
		mine.count(difference == "")
		if usedByBackend(route) {
			used.count(difference == "")
		}
		if difference != "" {
			t.Logf("%3d %s %s %s%s\n      %s", i, x.Method, x.Path, short(x.Params), noted(x.Note), difference)
		}
	}
	t.Logf("%s: %v, endpoints that the backend uses: %v", name, mine, used)
	return mine, used
}

func noted(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

// player replays one scenario.
type player struct {
	*scenario
	server *Server
	caller *caller
	names  *names
	list   []exchange
	known  map[string]bool

	session session
}

// patience is how long a state may take to come about that the recording reached in time.
const patience = 10 * time.Second

// play sends one recorded request and returns the first difference of the answer.
func (p *player) play(ctx context.Context, i int, x exchange, route string) string {
	if before := p.before[i]; before != nil {
		before(p)
	}
	deadline := time.Now().Add(patience)
	for {
		sent := p.names.request(x)
		got, err := p.caller.send(ctx, sent, p.headers(i, x), p.body(x), p.size(i))
		if err != nil {
			return err.Error()
		}
		c := &comparison{names: p.names, route: route, known: p.known}
		if !p.wait(i, x, got, c) || time.Now().After(deadline) {
			p.session.learn(got)
			return c.answer(p.adapted(i, x, got), got)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wait reports whether a request is to be sent again: a task goes on that had ended in the recording, or a state
// has not come about yet.
func (p *player) wait(i int, x exchange, got reply, c *comparison) bool {
	if x.Method == http.MethodGet && strings.Contains(x.Path, "/tasks/UPID") && !p.settles[i] {
		return over(x.Body, x.Path) && got.status == http.StatusOK && x.Status == http.StatusOK && !over(got.body, x.Path)
	}
	if !p.patient(i, x) {
		return false
	}
	probe := *c
	probe.names = c.names.clone()
	return probe.answer(x, got) != ""
}

// patient reports whether a state may take its time: the recording waited too.
func (p *player) patient(i int, x exchange) bool {
	return p.settles[i] || strings.HasPrefix(x.Note, "after ") && strings.HasSuffix(x.Note, " s")
}

// over reports whether an answer about a task shows its end.
func over(body any, path string) bool {
	m, _ := body.(map[string]any)
	if strings.HasSuffix(path, "/status") {
		data, _ := m["data"].(map[string]any)
		return data["status"] == "stopped"
	}
	lines, _ := m["data"].([]any)
	if len(lines) == 0 {
		return false
	}
	last, _ := lines[len(lines)-1].(map[string]any)
	text, _ := last["t"].(string)
	return strings.HasPrefix(text, "TASK ")
}

// adapted is a recorded answer without what was over for one side only.
func (p *player) adapted(i int, x exchange, got reply) exchange {
	if strings.Contains(x.Path, "/tasks/UPID") && x.Status == http.StatusOK && over(x.Body, x.Path) != over(got.body, x.Path) {
		if strings.HasSuffix(x.Path, "/log") {
			x.Body = got.body // a part of a log
			return x
		}
		body := x.Body.(map[string]any)
		data := maps.Clone(body["data"].(map[string]any))
		if theirs, ok := got.body.(map[string]any)["data"].(map[string]any); ok && !over(x.Body, x.Path) {
			data["status"] = theirs["status"]
		}
		x.Body = map[string]any{"data": data}
	}
	return x
}
