package swarm

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
)

// config answers as the engine does, which takes the beginning of an ID for a name too.
func (e *engine) config(w http.ResponseWriter, r *http.Request) {
	switch r.PathValue("id") {
	case "jobs", "k1":
		json.NewEncoder(w).Encode(map[string]any{"ID": "k1x9", "Spec": map[string]any{"Name": "jobs", "Data": []byte("from(bucket: \"jobs\")\n")}})
	case "broken":
		refuse(w, http.StatusInternalServerError, "no leader")
	default:
		refuse(w, http.StatusNotFound, "config not found")
	}
}

func TestConfigIsReadByItsNameAlone(t *testing.T) {
	c := startEngine(t, &engine{api: "1.41"})
	if text, err := c.Config(t.Context(), "jobs"); err != nil || text != "from(bucket: \"jobs\")\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, name := range []string{"other", "k1"} {
		if text, err := c.Config(t.Context(), name); !errors.Is(err, ErrNoConfig) || text != "" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := c.Config(t.Context(), "broken"); err == nil || errors.Is(err, ErrNoConfig) {
		t.Errorf("an engine without a leader: %v", err)
	}
}
