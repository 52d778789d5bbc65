package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"sluice/internal/label"
)

// fakeSwarm is the API of a manager that has as many services as a measurement wants, and answers what the proxy asks of one
// (docs/docker-access.md). Behind the tasks' addresses, 127.0.0.1 and so on, stand servers of this process.
type fakeSwarm struct {
	server   *http.Server
	address  string
	services []byte
	tasks    []byte
	closers  []func()
}

// object is written as JSON.
type object = map[string]any

const fakeNetwork = "network-of-proxy"

// startSwarm has n services of that many tasks each; service i is routed at /service<i>.
func startSwarm(n, tasks int) (*fakeSwarm, error) {
	s := &fakeSwarm{}
	port, err := s.serveTasks(tasks)
	if err != nil {
		return nil, err
	}
	var services, all []object
	for i := range n {
		id, name := fmt.Sprintf("id%d", i), fmt.Sprintf("stack%d_service%d", i/10, i)
		services = append(services, object{"ID": id, "Version": object{"Index": 1}, "Spec": object{"Name": name,
			"Labels": object{label.Prefix + "notify": "true", label.Prefix + "port": strconv.Itoa(port), label.Prefix + "servicePath": fmt.Sprintf("/service%d", i)},
			"Mode":   object{"Replicated": object{"Replicas": tasks}}, "TaskTemplate": object{"Networks": []object{{"Target": fakeNetwork}}}}})
		for slot := range tasks {
			all = append(all, object{"ID": fmt.Sprintf("%s-%d", id, slot), "ServiceID": id, "NodeID": "node", "Slot": slot + 1, "DesiredState": "running",
				"Status":              object{"State": "running", "Timestamp": "2026-01-01T00:00:00Z"},
				"NetworksAttachments": []object{{"Network": object{"ID": fakeNetwork}, "Addresses": []string{taskAddress(slot) + "/8"}}}})
		}
	}
	if s.services, err = json.Marshal(services); err != nil {
		return nil, err
	}
	if s.tasks, err = json.Marshal(all); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.address = "tcp://" + listener.Addr().String()
	s.server = &http.Server{Handler: s.api()}
	go func() { _ = s.server.Serve(listener) }() // ends when it is closed
	return s, nil
}

func taskAddress(slot int) string { return fmt.Sprintf("127.0.0.%d", slot+1) }

// serveTasks answers requests on one port of as many addresses as a service has tasks.
func (s *fakeSwarm) serveTasks(tasks int) (port int, err error) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	for slot := range tasks {
		listener, err := net.Listen("tcp", net.JoinHostPort(taskAddress(slot), strconv.Itoa(port)))
		if err != nil {
			return 0, fmt.Errorf("serve tasks: %w", err)
		}
		port = listener.Addr().(*net.TCPAddr).Port
		server := &http.Server{Handler: handler}
		s.closers = append(s.closers, func() { _ = server.Close() })
		go func() { _ = server.Serve(listener) }()
	}
	return port, nil
}

func (s *fakeSwarm) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.41") })
	mux.HandleFunc("/{version}/networks", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode([]object{{"Id": fakeNetwork, "Name": "proxy", "Scope": "swarm", "Driver": "overlay"}})
	})
	mux.HandleFunc("/{version}/services", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.services) })
	mux.HandleFunc("/{version}/tasks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.tasks) })
	mux.HandleFunc("/{version}/events", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	return mux
}

func (s *fakeSwarm) close() {
	_ = s.server.Close()
	for _, end := range s.closers {
		end()
	}
}
