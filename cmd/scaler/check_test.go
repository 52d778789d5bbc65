package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckNamesFileAndLine(t *testing.T) {
	const content = `services:
  web:
    deploy:
      labels:
        com.df.scale.max: 8
        com.df.scale.taget: 10
  node:
    deploy:
      mode: global
      labels:
        com.df.scale.max: 8
        com.df.scale.target: 10
  zone:
    deploy:
      labels:
        - com.df.scale.max=4
        - com.df.scale.target=5
        - com.df.scale.schedule=0 8 * * *
        - com.df.scale.scheduleFor=1h
        - com.df.scale.timezone=Europe/Berln
  nightly:
    deploy:
      mode: replicated-job
      labels: [com.df.scale.max=2, com.df.scale.target=5]
  left:
    deploy:
      mode: replicated-job
      labels: [com.df.scale.enabled=false]
`
	var out strings.Builder
	err := check(&out, "stack.yml", []byte(content), "shop")
	want := `stack.yml:6: shop_web: com.df.scale.taget: is not a label of Sluice (did you mean target?), got "10"
stack.yml:7: shop_node: is a global service, which cannot be scaled
stack.yml:20: shop_zone: com.df.scale.timezone: is not a time zone such as Europe/Berlin, got "Europe/Berln"
stack.yml:21: shop_nightly: is a job, which cannot be scaled
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if err == nil || err.Error() != "stack.yml: 4 problems" {
		t.Errorf("error %v", err)
	}
}

func TestTheStackFilesOfTheRepositoryHaveNoProblems(t *testing.T) {
	files, err := filepath.Glob("../../deploy/*/*.yml")
	if err != nil || len(files) < 4 {
		t.Fatalf("stack files %v, error %v", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "load.yml" { // a load test
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := check(&out, file, content, ""); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
	}
}
