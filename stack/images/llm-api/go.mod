module sealegs/llm-api

go 1.26
