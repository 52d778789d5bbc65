package store

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	dockerswarm "github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"

	"sluice/deploy/voting/ballot"
	"sluice/internal/swarm/swarmtest"
)

// postgres runs the image that the stack uses.
func postgres(t *testing.T) (service string, c Config) {
	t.Helper()
	docker := swarmtest.Docker(t)
	image := ""
	for _, name := range []string{"postgres:15", "sluice/postgres:15"} {
		if _, err := docker.ImageInspect(t.Context(), name); err == nil {
			image = name
			break
		}
	}
	if image == "" && os.Getenv("CI") == "" {
		t.Skip("there is no image of PostgreSQL: run `make ready` first")
	}
	password := swarmtest.Secret(t, "password")
	password.File.UID, password.File.Mode = "0", 0o444
	s := swarmtest.Start(t, swarmtest.Service{Image: image, Env: []string{"POSTGRES_DB=votes", "POSTGRES_PASSWORD_FILE=/run/secrets/password"}, Ports: map[uint32]uint32{5432: 0},
		Edit: func(spec *dockerswarm.ServiceSpec) {
			spec.TaskTemplate.ContainerSpec.Secrets = []*dockerswarm.SecretReference{password}
		}})
	address := swarmtest.HostPort(t, swarmtest.Running(t, s.ID, 1)[0].ID, 5432)
	return s.ID, Config{Host: address, Name: "votes", User: "postgres", Password: "password"}
}

func vote(id, voter, choice string) ballot.Vote {
	return ballot.Vote{ID: id, Voter: voter, Choice: choice, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func TestStore(t *testing.T) {
	service, c := postgres(t)
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	await(t, "the database answers", func() bool { _, err := s.Tally(t.Context()); return err == nil })
	shown, watched := make(chan Tally, 100), make(chan error, 1)
	go func() { watched <- Watch(t.Context(), c, func(t Tally) { shown <- t }) }()
	select {
	case first := <-shown:
		if first != (Tally{}) {
			t.Errorf("before the first vote the tally is %+v", first)
		}
	case err := <-watched:
		t.Fatalf("watch: %v", err)
	}
	for _, step := range []struct {
		name  string
		votes []ballot.Vote
		want  Tally
	}{
		{"two voters", []ballot.Vote{vote("1", "ann", "sea"), vote("2", "bob", "sea")}, Tally{Sea: 2, Votes: 2}},
		{"one changes her mind", []ballot.Vote{vote("3", "ann", "mountains")}, Tally{Mountains: 1, Sea: 1, Votes: 3}},
		{"her first vote comes again", []ballot.Vote{vote("1", "ann", "sea")}, Tally{Mountains: 1, Sea: 1, Votes: 3}},
		{"one twice at once: his last counts", []ballot.Vote{vote("4", "cay", "sea"), vote("5", "cay", "mountains")}, Tally{Mountains: 2, Sea: 1, Votes: 5}},
		{"an id around another vote at once: the first is the vote", []ballot.Vote{vote("6", "dan", "sea"), vote("7", "dan", "mountains"), vote("6", "dan", "sea")}, Tally{Mountains: 3, Sea: 1, Votes: 7}},
		{"old and new together", []ballot.Vote{vote("2", "bob", "sea"), vote("8", "bob", "mountains")}, Tally{Mountains: 4, Votes: 8}},
	} {
		if err := s.Add(t.Context(), step.votes); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got, err := s.Tally(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s:\n%s", step.name, diff)
		}
	}
	for last := (Tally{}); last.Votes < 8; {
		select {
		case last = <-shown:
		case err := <-watched:
			t.Fatalf("watching ended: %v", err)
		case <-time.After(time.Minute):
			t.Fatalf("the last tally that was shown is %+v", last)
		}
	}
	t.Run("by several at once", func(t *testing.T) { s.atOnce(t) })
	swarmtest.Remove(t, service)
	select {
	case err := <-watched:
		if err == nil {
			t.Error("the database has gone, and no error")
		}
	case <-time.After(time.Minute):
		t.Error("the database has gone, and nobody noticed")
	}
}

// atOnce has four workers write the same votes.
func (s Store) atOnce(t *testing.T) {
	before, err := s.Tally(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 4)
	for range cap(failed) {
		go func() {
			for batch := range 10 {
				var votes []ballot.Vote
				for i := range 20 {
					votes = append(votes, vote(fmt.Sprintf("w%dx%d", batch, i), fmt.Sprint("voter", i), ballot.Choices()[batch%2]))
				}
				if err := s.Add(t.Context(), votes); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	after, err := s.Tally(t.Context())
	if want := (Tally{before.Mountains, before.Sea + 20, before.Votes + 200}); err != nil || after != want {
		t.Errorf("the tally is %+v, %v; want %+v", after, err, want)
	}
}

func TestADatabaseThatIsAwayIsAnError(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if err := Watch(t.Context(), Config{Host: address, Name: "votes", User: "postgres", Password: "s3cret:@/"}, func(Tally) {}); err == nil {
		t.Error("no error")
	}
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	swarmtest.Wait(t, what, func(context.Context) bool { return holds() })
}
