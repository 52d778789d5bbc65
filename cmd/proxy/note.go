package main

import (
	"fmt"
	"io"

	"sluice/internal/label"
)

// note logs each note once, for as long as it lasts. What is obsolete works or harms nothing, so it is no warning.
func (r *reconciler) note(notes []label.Problem) {
	present := map[string]bool{}
	for _, n := range notes {
		text := n.String()
		present[text] = true
		if !r.noted[text] {
			r.log.Info().Str("service", n.Service).Str("label", n.Label).Str("value", n.Value).Str("note", n.Reason).Msg("label is obsolete")
		}
	}
	r.noted = present
}

// remark prints the notes.
func remark(w io.Writer, notes []label.Problem) error {
	for _, n := range notes {
		if _, err := fmt.Fprintln(w, "note:", n); err != nil {
			return err
		}
	}
	return nil
}
