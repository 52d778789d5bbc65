package swarmtest

import (
	"context"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm"
)

func TestAppSaysWhoAnswersAndFinishesBeforeItStops(t *testing.T) {
	s := Start(t, Service{Replicas: 2, Ports: map[uint32]uint32{8080: 0}})
	tasks := Running(t, s.ID, 2)
	for _, task := range tasks {
		url := "http://" + HostPort(t, task.ID, 8080)
		Wait(t, "an answer", func(context.Context) bool { _, err := get(url); return err == nil })
		answer, err := get(url)
		if fields := strings.Fields(answer); err != nil || len(fields) != 2 || fields[1] != strconv.Itoa(task.Slot) {
			t.Errorf("slot %d answered %q, %v", task.Slot, answer, err)
		}
	}
	began := time.Now()
	held, err := http.Get("http://" + HostPort(t, tasks[0].ID, 8080) + "?hold=3s")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Body.Close()
	Remove(t, s.ID) // SIGTERM comes about a second later, in the middle of the answer
	if body, err := io.ReadAll(held.Body); err != nil || len(body) == 0 || time.Since(began) < 3*time.Second {
		t.Errorf("a request that was running when the service went: %q, %v after %v", body, err, time.Since(began))
	}
}

func get(url string) (string, error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestLeftoversOfKilledTestsAreSwept(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	mine := Start(t, Service{None: true})
	orphan := Start(t, Service{None: true, Labels: map[string]string{ownerPID: strconv.Itoa(gone.Process.Pid)}})
	foreign := Start(t, Service{None: true, Labels: map[string]string{ownerPID: strconv.Itoa(gone.Process.Pid), ownerHost: "elsewhere"}})
	sweep(t.Context(), Docker(t))
	services, err := Need(t).Services(t.Context(), swarm.Filter{Label: ownerPID})
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, s := range services {
		left[s.ID] = true
	}
	if !left[mine.ID] || left[orphan.ID] || !left[foreign.ID] {
		t.Errorf("left are mine %v, the orphan %v, the foreign one %v", left[mine.ID], left[orphan.ID], left[foreign.ID])
	}
}

func TestEverythingIsRemovedAtTheEnd(t *testing.T) {
	var network swarm.Network
	var service swarm.Service
	t.Run("uses the swarm", func(t *testing.T) {
		network = Network(t)
		service = Start(t, Service{Networks: []string{network.ID}})
	})
	services, err := Need(t).Services(t.Context(), swarm.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := Need(t).Networks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		if s.ID == service.ID {
			t.Error("the service is left")
		}
	}
	for _, n := range networks {
		if n.ID == network.ID {
			t.Error("the network is left")
		}
	}
}
