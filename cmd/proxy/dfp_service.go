package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/label"
	"sluice/routing"
)

// Docker Flow Proxy answers services as its own types: fields with a capital, one ServiceDest for each index. Scripts
// read them, so a service is told in these words as well. Users and serviceCert, which hold secrets, are left out.

type fieldKind int

const (
	textField fieldKind = iota
	listField
	boolField
	intField
)

type dfpField struct {
	name string
	kind fieldKind
}

func dfpFields(kind fieldKind, names string) (fields []dfpField) {
	for name := range strings.FieldsSeq(names) {
		fields = append(fields, dfpField{name, kind})
	}
	return fields
}

// serviceFields and destFields are those of Docker Flow Proxy's proxy.Service and proxy.ServiceDest.
func serviceFields() []dfpField {
	return slices.Concat(
		dfpFields(textField, "BackendExtra CompressionAlgo CompressionType ConnectionMode DiscoveryType ProxyInstanceName ReqPathReplace ReqPathSearch ServiceDomainAlgo SessionType TemplateBePath TemplateFePath"),
		dfpFields(listField, "AddReqHeader AddResHeader DelReqHeader DelResHeader SetReqHeader SetResHeader"),
		dfpFields(boolField, "CheckResolvers IsDefaultBackend RedirectUnlessHttpsProto RedirectWhenHttpProto"))
}

func destFields() []dfpField {
	return slices.Concat(
		dfpFields(textField, "BalanceGroup HttpsRedirectCode OutboundHostname PathType Port ReqMode ReqPathSearchReplace ServiceGroup TimeoutClient TimeoutServer TimeoutTunnel UserDef"),
		dfpFields(listField, "AllowedMethods DeniedMethods RedirectFromDomain ServiceDomain ServicePath ServicePathExclude"),
		dfpFields(boolField, "CheckTCP Clitcpka DenyHttp HttpsOnly IgnoreAuthorization SslVerifyNone VerifyClientSsl"),
		dfpFields(intField, "HttpsPort SrcHttpsPort SrcPort"))
}

// dfpService tells a service as Docker Flow Proxy does, and its labels as they were given.
func dfpService(name string, replicas int, l labels) map[string]any {
	parameters, indexes := map[string]string{}, []int{}
	for key, value := range l {
		parameter, ours := strings.CutPrefix(key, label.Prefix)
		if !ours || routing.Labels.Foreign(parameter) {
			continue
		}
		if isSecret(key, value) {
			value = hidden
		}
		parameters[canonical(parameter)] = value
		if dot := strings.LastIndexByte(parameter, '.'); dot > 0 && isNumber(parameter[dot+1:]) {
			n, _ := strconv.Atoi(parameter[dot+1:])
			indexes = append(indexes, n)
		}
	}
	slices.Sort(indexes)
	if indexes = slices.Compact(indexes); len(indexes) == 0 {
		indexes = []int{0}
	}
	var dests []map[string]any
	for _, index := range indexes {
		dest := map[string]any{"Index": index}
		for _, f := range destFields() {
			dest[f.name] = f.value(cmp.Or(parameters[f.parameter()+"."+strconv.Itoa(index)], parameters[f.parameter()]))
		}
		dest["ReqMode"] = cmp.Or(dest["ReqMode"].(string), "http")
		dests = append(dests, dest)
	}
	service := map[string]any{"ServiceName": name, "AclName": cmp.Or(parameters["aclName"], name), "Replicas": replicas, "ServiceDest": dests, "Labels": parameters}
	for _, f := range serviceFields() {
		service[f.name] = f.value(parameters[f.parameter()])
	}
	return service
}

func (f dfpField) parameter() string {
	if f.name == "CheckTCP" {
		return "checkTcp"
	}
	return strings.ToLower(f.name[:1]) + f.name[1:]
}

// value is the zero value for what is not given or cannot be read.
func (f dfpField) value(text string) any {
	switch f.kind {
	case listField:
		list := []string{}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		return list
	case boolField:
		yes, _ := strconv.ParseBool(strings.ToLower(text))
		return yes
	case intField:
		n, _ := strconv.Atoi(text)
		return n
	default:
		return text
	}
}
