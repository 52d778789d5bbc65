package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxCommand bounds a command with its payload, in bytes. HAProxy has a buffer of 16 kB for both (tune.bufsize), of which
// 2.6.12 leaves 16,381 bytes; what is longer is never answered.
const maxCommand = 16_300

// changeCertificates renews, adds and removes certificates, in this order: at no moment a server name that stays has
// none. What commands cannot do is the reason of a reload.
func changeCertificates(running Running, want Config) (entering, leaving []Command, reload string) {
	if want.Certificates == nil {
		return nil, nil, "" // the shape says whether there is a list
	}
	if running.Transaction != "" { // of a controller that came to its end
		entering = append(entering, Command{Line: "abort ssl cert " + running.Transaction, Expect: []string{"Transaction aborted", "No ongoing transaction"},
			Certificate: running.Transaction, Reason: "a renewal was broken off"})
	}
	there, stays, keep := map[CertificateLine]int{}, map[string]bool{}, map[int]bool{}
	for _, l := range running.List {
		there[CertificateLine{File: l.File, Filters: l.Filters}] = l.Number
	}
	for _, f := range want.Certificates {
		stays[f.File] = true
		commands, ok := f.enter(running.Stored, there, keep)
		if !ok {
			reload = "certificate " + f.Name + " is too large for a command"
			continue
		}
		entering = append(entering, commands...)
	}
	for _, l := range running.List {
		if !keep[l.Number] {
			leaving = append(leaving, Command{Line: fmt.Sprintf("del ssl crt-list %s %s:%d", certificateList, l.File, l.Number),
				Expect: []string{"Entry '" + l.File + "' deleted"}, Certificate: l.File, Reason: "certificate leaves"})
		}
	}
	for _, file := range slices.Sorted(maps.Keys(running.Stored)) {
		if !stays[file] {
			leaving = append(leaving, Command{Line: "del ssl cert " + file, Expect: []string{"Certificate '" + file + "' deleted"}, Certificate: file, Reason: "certificate left"})
		}
	}
	if reload != "" { // what leaves now may have its successor only then
		leaving = nil
	}
	return entering, leaving, reload
}

// enter gives HAProxy the certificate and its lines, as far as they are missing, and marks the lines that stay: there are
// the numbers of those that HAProxy has. ok is false when a command would be too long.
func (f CertificateFile) enter(running map[string]RunningCertificate, there map[CertificateLine]int, keep map[int]bool) (commands []Command, ok bool) {
	stored, exists := running[f.File]
	if !exists || !stored.same(f.RunningCertificate) {
		set := Command{Line: "set ssl cert " + f.File + " <<", Payload: f.PEM, Expect: []string{"Transaction created", "Transaction updated"}, Reason: "certificate was renewed"}
		commit := Command{Line: "commit ssl cert " + f.File, Ends: "Success!", Undo: "abort ssl cert " + f.File, Reason: "certificate was renewed"}
		if !exists {
			set.Reason, commit.Reason = "certificate came", "certificate came"
			commands = append(commands, Command{Line: "new ssl cert " + f.File, Expect: []string{"New empty certificate store"}, Reason: "certificate came"})
		}
		if commands = append(commands, set, commit); set.size() > maxCommand {
			return nil, false
		}
	}
	for _, filters := range f.lines() {
		if number, has := there[CertificateLine{File: f.File, Filters: filters}]; has {
			keep[number] = true
			continue
		}
		commands = append(commands, Command{Line: "add ssl crt-list " + certificateList + " <<", Payload: []byte(strings.TrimSpace(f.File+" "+filters) + "\n"),
			Ends: "Success!", Reason: "certificate is for other hosts than before"})
	}
	for i := range commands {
		commands[i].Certificate = f.Name
	}
	return commands, true
}

func (c Command) size() int { return len(c.Line) + len(c.Payload) }
