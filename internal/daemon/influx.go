package daemon

import "sluice/internal/influx"

// Influx says which InfluxDB; embed it.
type Influx struct {
	InfluxURL    string `env:"INFLUX_URL" placeholder:"URL" help:"InfluxDB, for example http://influxdb:8086."`
	InfluxToken  string `env:"INFLUX_TOKEN" placeholder:"TOKEN" help:"Token, for 1.8 user:password. Also as INFLUX_TOKEN_FILE, like every setting."`
	InfluxOrg    string `env:"INFLUX_ORG" placeholder:"NAME" help:"Organisation, empty for 1.8."`
	InfluxBucket string `env:"INFLUX_BUCKET" default:"telegraf/autogen" help:"Bucket, for 1.8 database/retention-policy."`
}

// Config is what the adapter takes.
func (i Influx) Config() influx.Config {
	return influx.Config{URL: i.InfluxURL, Token: i.InfluxToken, Org: i.InfluxOrg, Bucket: i.InfluxBucket}
}
