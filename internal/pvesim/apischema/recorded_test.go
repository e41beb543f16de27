package apischema

import (
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exchange is what the test needs of a recorded exchange.
type exchange struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Params any             `json:"params"`
	Status int             `json:"status"`
	Body   json.RawMessage `json:"body"`
	Note   string          `json:"note"`
}

// later are texts of parameters that the schema lets pass and the implementation of an endpoint refuses.
var later = regexp.MustCompile(`^(No such |VM \d+ already exists|script '|invalid ACL path|explicit 'media=cdrom'|'import-from' requires|` +
	`target is local node|unknown option|you can't use|hotplug problem|Only root may|no such task|unable to parse worker upid|` +
	`property is missing$|wrong file extension|invalid filename or wrong extension|Token already|Security group|address '.*' already|` +
	`unknown action|interface )`)

// unlike are exchanges that the schema's rules alone cannot judge, by note.
var unlike = map[string]string{
	"charset suffix":     "the recording left out the parameters that were sent",
	"malformed JSON":     "refused before the parameters are known",
	"wrong content type": "refused before the parameters are known",
}

func TestRecordedRefusals(t *testing.T) {
	files, err := filepath.Glob("../testdata/recordings/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	table := Load(8)
	checked := 0
	for _, file := range files {
		for i, x := range recorded(t, file) {
			if unlike[x.Note] != "" {
				continue
			}
			e, vars, _ := table.Find(x.Method, strings.ReplaceAll(x.Path, "%2F", "/"))
			if e == nil || x.Status == 401 || x.Status == 403 || x.Status == 501 {
				continue
			}
			in := map[string]any{}
			if m, ok := x.Params.(map[string]any); ok {
				maps.Copy(in, m)
			}
			if in["form_fields_in_order"] != nil {
				continue
			}
			if list, ok := x.Params.([]any); ok { // repeated parameters
				in = repeated(list)
			}
			for k, v := range vars {
				in[k] = v
			}
			var body struct {
				Errors map[string]string `json:"errors"`
			}
			_ = json.Unmarshal(x.Body, &body) // an empty body has none
			if x.Status == 400 && body.Errors == nil {
				continue
			}
			if short, ok := in["userid"].(string); ok && len(short) < 3 {
				continue // the check of privileges comes first, and refuses the name
			}
			_, errs := e.Verify(in)
			if len(errs) == 0 && ofHandler(body.Errors) {
				continue
			}
			checked++
			if !maps.Equal(errs, body.Errors) {
				t.Errorf("%s %d: %s %s\n got %q\nwant %q", filepath.Base(file), i, x.Method, x.Path, errs, body.Errors)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d refusals and successes were compared", checked)
	}
}

func repeated(list []any) map[string]any {
	in := map[string]any{}
	for _, pair := range list {
		kv := pair.([]any)
		name := kv[0].(string)
		if before, twice := in[name]; twice {
			in[name] = before.(string) + Separator + kv[1].(string)
			continue
		}
		in[name] = kv[1]
	}
	return in
}

func ofHandler(errs map[string]string) bool {
	for _, text := range errs {
		if !later.MatchString(text) {
			return false
		}
	}
	return len(errs) > 0
}

func recorded(t *testing.T, file string) []exchange {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(r)
	d.UseNumber()
	var all []exchange
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}
