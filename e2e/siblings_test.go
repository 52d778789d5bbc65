package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/internal/swarm/swarmtest"
)

// TestSiblings passes changes on between three proxies of one service, found by the swarm's own name server.
func TestSiblings(t *testing.T) {
	t.Parallel() // after TestHitless, which wants the machine for itself
	inTurn(t)
	s := &stack{t: t, root: "..", swarm: swarmtest.Need(t)}
	if os.Getenv("CI") == "" && s.try("docker", "image", "inspect", "sluice/proxy") != nil {
		t.Skip("the images are not built: run `make ready` first")
	}
	name := fmt.Sprint("siblings-", port(swarmtest.FreeAddress(t)))
	service := swarmtest.Start(t, swarmtest.Service{Name: name, Image: "sluice/proxy", Networks: []string{swarmtest.Network(t).Name}, Replicas: 3, Ports: map[uint32]uint32{8080: 0},
		Env: []string{"SWARM=false", "SERVICE_NAME=" + name, "API_TOKEN=secret", "DRAIN_TIMEOUT=1s"}, Edit: unprobed})
	apis := func() (all []string) {
		for _, task := range swarmtest.Running(t, service.ID, 3) {
			all = append(all, swarmtest.HostPort(t, task.ID, 8080))
		}
		return all
	}
	first := apis()
	for _, api := range first {
		s.await(patience, "the API answers", func() bool { code, _ := dfp(api, "successfulinitreload"); return code == http.StatusOK })
	}
	s.await(patience, "a change is passed on", func() bool {
		code, message := dfp(first[0], "reconfigure", "serviceName", "shop", "servicePath", "/shop", "port", "80", "outboundHostname", "127.0.0.1")
		return code == http.StatusOK && strings.Contains(message, "Distributed to all instances")
	})
	// All are those that the swarm's name server knows; one whose name comes a moment later hears of it then.
	for _, api := range first {
		s.await(patience, api+" has what another one was given", func() bool { return strings.Contains(declared(t, api), "shop") })
	}
	dfp(first[1], "reconfigure", "serviceName", "old", "servicePath", "/old", "port", "80", "outboundHostname", "127.0.0.1")
	s.run("docker", "kill", name+".3."+swarmtest.Running(t, service.ID, 3)[2].ID)
	dfp(first[1], "remove", "serviceName", "old")
	s.await(patience, "a task without files has what the others have", func() bool {
		for _, api := range apis() {
			if declared(t, api) != "shop" {
				return false
			}
		}
		return true
	})
}

// dfp calls the API with the token; parameters are name and value in turn. No answer is code 0.
func dfp(api, action string, parameters ...string) (code int, message string) {
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Set(parameters[i], parameters[i+1])
	}
	request, err := http.NewRequest(http.MethodGet, "http://"+api+"/v1/docker-flow-proxy/"+action+"?"+values.Encode(), nil)
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("Authorization", "Bearer secret")
	client := http.Client{Timeout: time.Minute}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	var body struct{ Message string }
	_ = json.NewDecoder(response.Body).Decode(&body)
	return response.StatusCode, body.Message
}

// declared are the names of the services of a proxy, "" while it does not answer.
func declared(t *testing.T, api string) string {
	t.Helper()
	response, err := http.Get("http://" + api + "/v1/docker-flow-proxy/config?type=json")
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var services map[string]any
	_ = json.NewDecoder(response.Body).Decode(&services) // one that does not answer has none
	var names []string
	for name := range services {
		names = append(names, name)
	}
	return strings.Join(names, " ")
}
