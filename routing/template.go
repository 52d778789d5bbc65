package routing

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"text/template"

	"sluice/internal/label"
)

// serviceData is what templates of users see, in the names of Docker Flow Proxy.
type serviceData struct {
	ServiceName       string
	AclName           string
	ServiceDomainAlgo string
	SessionType       string
	ProxyInstanceName string
	IsDefaultBackend  bool
	Replicas          int
	ServiceDest       []DestinationData // this destination alone
	DestinationData
}

// DestinationData is what templates of users see of a destination, in the names of Docker Flow Proxy.
type DestinationData struct {
	AllowedMethods, DeniedMethods             []string
	DenyHttp, HttpsOnly, IgnoreAuthorization  bool
	SslVerifyNone, VerifyClientSsl            bool
	HttpsPort, SrcPort, SrcHttpsPort, Index   int
	HttpsRedirectCode, OutboundHostname       string
	PathType, Port, ReqMode, ReqModeFormatted string
	ReqPathSearchReplace, UserDef             string
	TimeoutServer, TimeoutTunnel              string
	TimeoutClient                             string
	ServiceDomain, ServicePath                []string
	ServicePathExclude, RedirectFromDomain    []string
	ServiceHeader                             map[string]string
	UserAgent                                 struct{ Value []string }
}

func templateData(s Service, g label.Group) serviceData {
	yes := func(name string) bool { return strings.EqualFold(g.Raw(name), "true") || g.Raw(name) == "1" }
	number := func(name string) int { n, _ := strconv.Atoi(g.Raw(name)); return n } // checked where the label is read
	mode := cmp.Or(g.Raw("reqMode"), "http")
	d := DestinationData{
		AllowedMethods: g.List("allowedMethods"), DeniedMethods: g.List("deniedMethods"),
		DenyHttp: yes("denyHttp"), HttpsOnly: yes("httpsOnly"), IgnoreAuthorization: yes("ignoreAuthorization"),
		SslVerifyNone: yes("sslVerifyNone"), VerifyClientSsl: yes("verifyClientSsl"),
		HttpsPort: number("httpsPort"), SrcPort: number("srcPort"), SrcHttpsPort: number("srcHttpsPort"), Index: g.Index(),
		HttpsRedirectCode: g.Raw("httpsRedirectCode"), OutboundHostname: g.Raw("outboundHostname"),
		PathType: cmp.Or(g.Raw("pathType"), "path_beg"), Port: g.Raw("port"), ReqMode: mode, ReqModeFormatted: strings.Replace(mode, "sni", "tcp", 1),
		ReqPathSearchReplace: g.Raw("reqPathSearchReplace"), UserDef: g.Text("userDef"),
		TimeoutServer: g.Raw("timeoutServer"), TimeoutTunnel: g.Raw("timeoutTunnel"), TimeoutClient: g.Raw("timeoutClient"),
		ServiceDomain: g.List("serviceDomain"), ServicePath: g.List("servicePath"), ServicePathExclude: g.List("servicePathExclude"),
		RedirectFromDomain: g.List("redirectFromDomain"), ServiceHeader: map[string]string{},
	}
	d.UserAgent.Value = g.List("userAgent")
	for _, h := range g.List("serviceHeader") {
		name, value, _ := strings.Cut(h, ":")
		d.ServiceHeader[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return serviceData{
		ServiceName: s.shown(g), AclName: cmp.Or(g.Text("aclName"), s.shown(g)), ServiceDomainAlgo: g.Raw("serviceDomainAlgo"), SessionType: g.Raw("sessionType"),
		ProxyInstanceName: g.Text("proxyInstanceName"), IsDefaultBackend: g.Bool("isDefaultBackend"), Replicas: s.Replicas,
		ServiceDest: []DestinationData{d}, DestinationData: d,
	}
}

// maxTemplate bounds what a template may write, in bytes.
const maxTemplate = 64 << 10

// executeTemplate gives the lines that a template writes. Errors read after "is a template that".
func executeTemplate(content string, data serviceData) ([]string, error) {
	t, err := template.New("").Parse(content)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	out := &bounded{}
	if err := t.Execute(out, data); err != nil {
		return nil, fmt.Errorf("fails: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	lines, err := label.Spec{Kind: label.Lines}.Parse(out.String())
	if err != nil {
		return nil, err
	}
	return lines.([]string), nil
}

// bounded stops a template that writes without end.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxTemplate {
		return 0, fmt.Errorf("it writes more than %d bytes", maxTemplate)
	}
	return b.Builder.Write(p)
}
