module sealegs/bench/server

go 1.24
