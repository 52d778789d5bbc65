package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAServiceIsToldInDockerFlowProxysWords(t *testing.T) {
	told := func(l labels) map[string]any {
		text, err := json.Marshal(dfpService("shop", 2, l))
		if err != nil {
			t.Fatal(err)
		}
		var service map[string]any
		if err := json.Unmarshal(text, &service); err != nil || strings.Contains(string(text), "geheim") {
			t.Fatalf("%v %s", err, text)
		}
		return service
	}
	service := told(labels{"com.df.notify": "true", "com.df.servicePath.1": "/a, /b", "com.df.port.1": "80", "com.df.servicePath.3": "/c", "com.df.HTTPSONLY": "TRUE", "com.df.srcPort.3": "8085",
		"com.df.users": "joe:geheim", "com.df.addReqHeader": "Authorization Basic geheim", "com.df.serviceCert": "geheim", "com.df.scale.max": "3", "other": "x"})
	dests := service["ServiceDest"].([]any)
	if len(dests) != 2 {
		t.Fatalf("destinations: %v", dests)
	}
	for i, want := range []map[string]any{
		{"Index": 1.0, "ServicePath": []any{"/a", "/b"}, "Port": "80", "HttpsOnly": true, "SrcPort": 0.0, "ReqMode": "http", "ServiceDomain": []any{}},
		{"Index": 3.0, "ServicePath": []any{"/c"}, "Port": "", "HttpsOnly": true, "SrcPort": 8085.0, "ReqMode": "http", "ServiceDomain": []any{}},
	} {
		for field, value := range want {
			if diff := cmp.Diff(value, dests[i].(map[string]any)[field]); diff != "" {
				t.Errorf("%d %s: %s", i, field, diff)
			}
		}
	}
	if service["AclName"] != "shop" || service["ServiceName"] != "shop" || service["Replicas"] != 2.0 || service["Users"] != nil {
		t.Errorf("got %v", service)
	}
	given := service["Labels"].(map[string]any)
	if given["httpsOnly"] != "TRUE" || given["users"] != hidden || given["scale.max"] != nil {
		t.Errorf("labels %v", given)
	}
	if one := told(labels{"com.df.port": "80", "com.df.aclName": "05-shop"}); len(one["ServiceDest"].([]any)) != 1 || one["AclName"] != "05-shop" {
		t.Errorf("without an index: %v", one)
	}
}
