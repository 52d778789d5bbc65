package main

import (
	"reflect"
	"time"

	"sluice/internal/label"
	"sluice/routing"
)

// lookWhole bounds how long steps in which nothing has changed are left unfinished: what depends on the clock alone, such
// as the age of certificates, is looked at then.
const lookWhole = 10 * time.Second

// quiet is what a step saw that found nothing to do and nothing on its way. While the next ones see the same, they would
// decide the same; all of it is compared by versions, but the certificates, whose files may change at any time.
type quiet struct {
	swarm    uint64    // version of the listing
	declared uint64    // version of the declarations
	read     time.Time // when what HAProxy runs was read
	at       time.Time // zero: the last step was none of this kind
	files    filesSeen
}

// filesSeen is what the certificates' files gave: settings, and what is wrong with a file, which may change alone.
type filesSeen struct {
	settings routing.Settings
	problems []label.Problem
}

// rests tells whether the step that begins would find what the last one left.
func (r *reconciler) rests(now time.Time, swarm listing, asked wish) bool {
	q := r.quiet
	if q.at.IsZero() || now.Sub(q.at) >= lookWhole || q.swarm != swarm.version || q.declared != asked.version || !q.read.Equal(r.engine.read) || r.reloaded < asked.reload {
		return false
	}
	settings, _, problems := r.files.settings(r.settings, now)
	return reflect.DeepEqual(filesSeen{settings, problems}, q.files)
}

// settled keeps what a step saw. moving says that something is on its way; a decision that hangs on files, name servers
// or ports that this step alone has asked is made again.
func (r *reconciler) settled(now time.Time, swarm listing, declared uint64, d decision, moving bool) {
	r.quiet = quiet{}
	if !moving && !d.open && len(r.refused) == 0 && r.change.shape == "" {
		r.quiet = quiet{swarm: swarm.version, declared: declared, read: r.engine.read, at: now, files: d.files}
	}
}
