package vcsim

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

const tagging = "/rest/com/vmware/cis/tagging/"

// refuseTagging answers a call that makes tags, or works on several of one object, as vCenter does
// where privileges or room in a category are lacking, and reports whether it has.
func (s *Server) refuseTagging(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, tagging) {
		return false
	}

	action := r.URL.Query().Get("~action")

	switch path := strings.TrimPrefix(r.URL.Path, tagging); {
	case path == "category" && action == "":
		return s.unauthorized(w, "InventoryService.Tagging.CreateCategory")
	case path == "tag" && action == "":
		return s.unauthorized(w, "InventoryService.Tagging.CreateTag")
	case path == "tag-association" && strings.HasPrefix(action, "list-attached-"):
		return s.unauthorized(w, "System.Read")
	case path == "tag-association" && strings.Contains(action, "-multiple-tags-"):
		return s.refuseTags(w, r, action, body)
	}

	return false
}

func (s *Server) unauthorized(w http.ResponseWriter, privilege string) bool {
	if !s.denied(privilege, types.ManagedObjectReference{}) {
		return false
	}

	writeREST(w, http.StatusForbidden, "unauthorized", "The user lacks the privilege "+privilege+".")

	return true
}

// refuseTags answers for several tags of one object: that the call went wrong is in the result.
func (s *Server) refuseTags(w http.ResponseWriter, r *http.Request, action string, body []byte) bool {
	var q struct {
		ID struct {
			ID   string `json:"id"`
			Type string `json:"type"`
		} `json:"object_id"`
		Tags []string `json:"tag_ids"`
	}

	if json.Unmarshal(body, &q) != nil {
		return false
	}

	type message struct {
		ID   string `json:"id"`
		Text string `json:"default_message"`
	}

	object := types.ManagedObjectReference{Type: q.ID.Type, Value: q.ID.ID}
	var messages []message

	for _, id := range q.Tags {
		switch {
		case s.denied("InventoryService.Tagging.AttachTag", object):
			messages = append(messages, message{"cis.tagging.unauthorized.error", "The user lacks the privilege InventoryService.Tagging.AttachTag."})
		case strings.HasPrefix(action, "attach") && s.crowded(r, id, object):
			messages = append(messages, message{"cis.tagging.cardinality.error", "The cardinality of the category does not allow another of its tags."})
		}
	}

	if len(messages) == 0 {
		return false
	}

	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"value": map[string]any{"success": false, "error_messages": messages}})

	return true
}
