package main

import (
	"fmt"
	"strings"

	"sluice/routing"
)

// dialect decides how labels are read.
type dialect struct {
	Separator         string `env:"SEPARATOR" default:"," help:"What separates the items of lists in labels."`
	ServiceDomainAlgo string `env:"SERVICE_DOMAIN_ALGO" default:"exact" placeholder:"ALGO" help:"How domains of services that do not say are matched (see com.df.serviceDomainAlgo); by default exact."`
	CompressionAlgo   string `env:"COMPRESSION_ALGO" placeholder:"ALGO" help:"Compresses the answers of services that do not say otherwise: gzip, deflate, raw-deflate or identity."`
	CompressionType   string `env:"COMPRESSION_TYPE" placeholder:"TYPE,…" help:"Content types that are compressed; by default all."`

	ProxyInstanceName       string `env:"PROXY_INSTANCE_NAME" default:"docker-flow" placeholder:"NAME" help:"Name of this proxy for com.df.proxyInstanceName; by default docker-flow."`
	FilterProxyInstanceName bool   `env:"FILTER_PROXY_INSTANCE_NAME" help:"Route only services whose com.df.proxyInstanceName is PROXY_INSTANCE_NAME."`
	AllowRawConfig          bool   `env:"ALLOW_RAW_CONFIG" help:"Use backendExtra, templates and EXTRA_*: whoever writes labels then rules the whole proxy."`
}

// fill checks the settings and says them in the words of routing.
func (d dialect) fill(o *routing.Options) error {
	if err := checkSeparator(d.Separator); err != nil {
		return fmt.Errorf("SEPARATOR: %w, got %q", err, d.Separator)
	}
	o.Separator, o.DomainAlgo = d.Separator, d.ServiceDomainAlgo
	o.Instance, o.FilterInstance, o.AllowRaw = d.ProxyInstanceName, d.FilterProxyInstanceName, d.AllowRawConfig
	for _, setting := range []struct {
		name, label, value string
		list               *[]string
	}{
		{"SERVICE_DOMAIN_ALGO", "serviceDomainAlgo", d.ServiceDomainAlgo, nil},
		{"COMPRESSION_ALGO", "compressionAlgo", d.CompressionAlgo, &o.CompressionAlgo},
		{"COMPRESSION_TYPE", "compressionType", d.CompressionType, &o.CompressionType},
	} {
		if setting.value == "" {
			continue
		}
		spec, _ := routing.Labels.Lookup(setting.label)
		value, err := spec.Parse(setting.value)
		if err != nil {
			return fmt.Errorf("%s: %w, got %q", setting.name, err, setting.value)
		}
		if setting.list != nil {
			*setting.list = strings.Fields(strings.Join(value.([]string), " "))
		}
	}
	if d.CompressionType != "" && d.CompressionAlgo == "" {
		return fmt.Errorf("COMPRESSION_TYPE: does nothing without COMPRESSION_ALGO, got %q", d.CompressionType)
	}
	return nil
}

// checkSeparator refuses what stands inside items: names, paths, quotes, expressions.
func checkSeparator(text string) error {
	switch {
	case len(text) > 8:
		return fmt.Errorf("has more than 8 characters")
	case strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(",;|:!&+=@^~#$?", r) }):
		return fmt.Errorf("has a character other than , ; | : ! & + = @ ^ ~ # $ ?")
	case text == ":":
		return fmt.Errorf("stands in users and headers already")
	}
	return nil
}

// maxTemplateFile bounds a template of a user in bytes.
const maxTemplateFile = 256 << 10

// readTemplates reads the files that labels name. One that cannot be read is missing, and reported where it is named.
func readTemplates(services []routing.Service, options routing.Options) map[string]string {
	if !options.AllowRaw {
		return nil
	}
	templates := map[string]string{}
	for _, name := range routing.TemplateFiles(services) {
		if content, err := readBounded(name, maxTemplateFile); err == nil {
			templates[name] = string(content)
		}
	}
	return templates
}
