package routing

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"sluice/internal/label"
)

const certificateKey = label.Prefix + "serviceCert"

var certificateLabels = []label.Spec{
	{Name: "serviceCert", Kind: label.Text, Example: `-----BEGIN CERTIFICATE-----\nMIIB…\n-----END PRIVATE KEY-----`,
		Doc: "Certificate with its chain and private key (PEM, with `\\n` for the ends of lines) for the hosts of serviceDomain. Whoever reads the service's labels reads the key: prefer a secret of the proxy's."},
}

// onOneLine writes the ends of lines of a serviceCert as `\n`, for no label may hold a control character.
func onOneLine(labels map[string]string) map[string]string {
	if text := labels[certificateKey]; strings.ContainsAny(text, "\r\n\t") {
		labels = maps.Clone(labels)
		labels[certificateKey] = strings.NewReplacer("\r", "", "\n", `\n`, "\t", " ").Replace(text)
	}
	return labels
}

// serviceCertificate reads serviceCert. A problem with it repeats nothing of it, and the service is routed all the same.
func serviceCertificate(s Service, opts Options) ([]Certificate, []label.Problem) {
	refuse := func(err error) ([]Certificate, []label.Problem) {
		return nil, []label.Problem{{Service: s.Name, Label: certificateKey, Value: "…", Reason: err.Error()}}
	}
	values, _ := opts.labels().Read(s.Name, s.Labels)
	all := values.At(0)
	text := strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(all.Text("serviceCert"))
	parsed, info, err := ParseCertificate(s.Name+".serviceCert.pem", []byte(text))
	if err != nil {
		return refuse(err)
	}
	if parsed.Hosts, err = certificateHosts(values, info, opts); err != nil {
		return refuse(err)
	}
	parsed.Service, parsed.Origin = s.Name, s.Name+" "+certificateKey
	return []Certificate{parsed}, nil
}

// hostTests tell whether a host leads to a service, by HAProxy's matchers.
var hostTests = map[string]func(name, host string) bool{
	"": func(name, host string) bool {
		suffix, wild := strings.CutPrefix(host, "*")
		return wild && strings.HasSuffix(name, suffix)
	},
	"end": strings.HasSuffix,
	"beg": strings.HasPrefix,
	"dom": func(name, host string) bool { return strings.Contains("."+name+".", "."+strings.Trim(host, ".")+".") },
}

// certificateHosts are the server names that a service's certificate answers: the hosts that lead to the service, so that
// it takes nobody else's. HAProxy lets "*" stand for one label, so a certificate for names that stand deeper below a
// wildcard of the service's is asked for these names too.
func certificateHosts(values label.Values, info CertificateInfo, opts Options) (hosts []string, err error) {
	leads := hostTests[hostMatchers[opts.domainAlgo(values.At(0))]]
	if leads == nil {
		return nil, errors.New("needs hosts in serviceDomain, and there are expressions")
	}
	indexes := append(values.Indexes(), 0)
	add := func(host string) {
		if host = plainHost(host); isServerName(host) && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	for _, index := range indexes {
		g := values.At(index)
		for _, host := range slices.Concat(g.List("serviceDomain"), g.List("redirectFromDomain")) {
			add(host)
			for _, name := range info.Hosts {
				if leads(name, plainHost(host)) {
					add(name)
				}
			}
		}
	}
	if len(hosts) == 0 {
		return nil, errors.New("needs a serviceDomain, for whose hosts it is")
	}
	slices.Sort(hosts)
	return hosts, nil
}
