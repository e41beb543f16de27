package vcsim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

var attachment = regexp.MustCompile(`/tag-association/id:([^/?]+)$`)

// refuseREST answers a call to REST that vCenter refuses and the simulator
// does not, and reports whether it has.
func (s *Server) refuseREST(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if s.refuseTagging(w, r, body) {
		return true
	}

	m := attachment.FindStringSubmatch(r.URL.Path)
	if m == nil || r.Method != http.MethodPost {
		return false
	}

	var q struct {
		ID struct {
			ID   string `json:"id"`
			Type string `json:"type"`
		} `json:"object_id"`
	}

	if json.Unmarshal(body, &q) != nil {
		return false
	}

	object := types.ManagedObjectReference{Type: q.ID.Type, Value: q.ID.ID}

	switch r.URL.Query().Get("~action") {
	case "attach", "detach":
		if f := s.denied("InventoryService.Tagging.AttachTag", object); f {
			writeREST(w, http.StatusForbidden, "unauthorized", "The user lacks the privilege InventoryService.Tagging.AttachTag.")

			return true
		}
	}

	if r.URL.Query().Get("~action") == "attach" && s.crowded(r, m[1], object) {
		writeREST(w, http.StatusBadRequest, "invalid_argument", "The cardinality of the category does not allow another of its tags.")

		return true
	}

	return false
}

// denied reports whether the user lacks the privilege on the object.
func (s *Server) denied(privilege string, object types.ManagedObjectReference) bool {
	s.mu.Lock()
	revoked := append([]revocation(nil), s.revoked...)
	s.mu.Unlock()

	for _, r := range revoked {
		if r.privilege == privilege && (r.object == "" || s.heldBy(object, r.object)) {
			return true
		}
	}

	return false
}

// crowded reports whether the object has another tag of a category of which it
// can have one only.
func (s *Server) crowded(r *http.Request, id string, object types.ManagedObjectReference) bool {
	category := s.tagCategory(r, id)

	var c struct {
		Cardinality string `json:"cardinality"`
	}

	s.ask(r, http.MethodGet, "/rest/com/vmware/cis/tagging/category/id:"+category, "", &c)

	if c.Cardinality != "SINGLE" {
		return false
	}

	reference, err := json.Marshal(map[string]any{"object_id": map[string]string{"id": object.Value, "type": object.Type}})
	if err != nil {
		return false
	}

	var attached []string

	s.ask(r, http.MethodPost, "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-tags", string(reference), &attached)

	for _, other := range attached {
		if other != id && s.tagCategory(r, other) == category {
			return true
		}
	}

	return false
}

func (s *Server) tagCategory(r *http.Request, id string) string {
	var tag struct {
		Category string `json:"category_id"`
	}

	s.ask(r, http.MethodGet, "/rest/com/vmware/cis/tagging/tag/id:"+id, "", &tag)

	return tag.Category
}

// ask asks the simulator on behalf of a client.
func (s *Server) ask(r *http.Request, method, path, body string, value any) {
	q := httptest.NewRequestWithContext(r.Context(), method, path, strings.NewReader(body))
	q.Header = r.Header.Clone()

	answer := httptest.NewRecorder()
	s.service.ServeMux.ServeHTTP(answer, q)

	wrapped := struct {
		Value any `json:"value"`
	}{value}

	_ = json.NewDecoder(answer.Body).Decode(&wrapped)
}

// writeREST answers with an error of REST.
func writeREST(w http.ResponseWriter, status int, kind, text string) {
	answer, err := json.Marshal(map[string]any{
		"type": "com.vmware.vapi.std.errors." + kind,
		"value": map[string]any{"messages": []map[string]any{
			{"id": "vcsim", "default_message": text, "args": []string{}},
		}},
	})
	if err != nil {
		answer = nil
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}
