package routing_test

// secrets are what the services of the tests may name. The password is "password".
func secrets() map[string]string {
	return map[string]string{"dfp_users_monitoring": "observer:$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm/VQ1Tvh/KV2TcaWh8qinoW5dhA1\n"}
}
