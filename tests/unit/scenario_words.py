"""What ``docs/scenario.md`` says that no docstring does: its head, a whole scenario, what most keys mean.

A class of `sealegs.scenario` whose docstring has Attributes says there what its keys mean, and not here.
"""

HEAD = """\
# What a scenario may say

A scenario is one TOML file in `scenarios/`; `sealegs check FILE` lists everything that is wrong with one.
[The claims](scenarios.md) are those that there are, [the glossary](glossary.md) has the words.

This page is made from the code that reads scenarios, not by hand:
`.venv/bin/python -m tests.unit.scenario_page` writes it.

## A whole one

Save it as `scenarios/mine.toml`, and `sealegs run scenarios/mine.toml` runs it.
"""
EXAMPLE = """\
title = "Kill an engine under chat"
# One sentence that a run can refute; the page has it above the verdict.
claim = "Killing an engine costs few answers, and a minute later the service is its usual self again."
seed = 1                                 # everything random comes from it
invariants = ["no-foreign-token"]        # a single counter-example refutes these

[stack]
overlay = "kind"                         # ours, or name = "chat" for one of yours

[traffic]
locustfile = "locustfiles/chat.py"       # how one request is put
profiles = { chat = 1 }                  # shares of requests
arrivals = { kind = "poisson" }
rate_rps = 8
in_flight_max = 200
context_tokens_max = 4096
tokens_per_s = 100

[traffic.deadlines]                      # when a client gives up
connect_s = 2
first_token_s = 10
gap_s = 5
total_s = 60

[experiment]                             # what is broken; without it nothing is
file = "experiments/pod-kill.json"

[phases]                                 # load lasts as long as these together
warmup_s = 10
baseline_s = 45
fault_s_max = 60
recovery_s = 45

[[objectives]]                           # a fault needs this one: was all well before?
name = "success-baseline"
sli = "success"
phase = "baseline"
target = 0.98

[[objectives]]                           # nine in ten have their first token within a second
name = "ttft-recovery"
sli = "ttft"
phase = "recovery"
limit_s = 1.0
target = 0.9

[[bounds]]                               # a number that the run measured, and its limits
name = "replaced"
measure = "ready-again-s"
at_most = 60

[recovery]                               # from the injection until everything was good, and stayed so
limit_s = 60
ttft_limit_s = 1.0
"""
# Of the tables whose class says nothing for readers of the page, or nothing at all.
INTROS = {
    "": "What stands above the first table.",
    "stack": "What is tested: a stack of ours by its `overlay`, or one of yours by its `name`, and not both.",
    "traffic.arrivals": "When requests come.",
    "experiment": "What is broken, how it is seen and how it is undone: a file of Chaos Toolkit's. "
    "Without one the fault's phase is like any other.",
}
# Of a key without its name in code: several have it, and mean the same.
MEANINGS = {
    "title": "the heading of the run's page",
    "claim": "one sentence that the run can refute",
    "seed": "everything random comes from it: same seed, same requests at the same times",
    "needs": "what it cannot be tested without ([what each is](stack.md#what-a-scenario-needs))",
    "invariants": "what one counter-example refutes ([below](#invariants))",
    "stack.overlay": "a folder of `stack/overlays/`",
    "stack.name": "a folder of `stack/` with a `stack.toml` ([a stack of your own](stack.md))",
    "stack.mutant": "a folder of `stack/mutants/`, planted in our stack: for negative controls",
    "traffic.locustfile": "how one user speaks to the stack; a path from where the folder `scenarios/` lies",
    "traffic.profiles": "profile → its share of the requests; shares add up to 1",
    "traffic.rate_rps": "requests a second, all profiles together; or `knee_share` in its place",
    "traffic.knee_share": "the rate as a share of the stack's knee, which `sealegs capacity` found here",
    "traffic.processes": "processes that send, each with its share",
    "traffic.where": "whether they run here, or as pods in the cluster",
    "traffic.in_flight_max": "requests that may be open at once; one more is not sent, and is bad",
    "traffic.context_tokens_max": "what is longer, prompt and answer together, is left out of the plan",
    "traffic.tokens_per_s": "how fast one stream is expected to come: tells when a session's next turn "
    "is due, and which answers cannot end in time",
    "traffic.tokens": "`derived`: each token's text is known beforehand and checked, as the reference "
    "engine's are; `counted`: tokens are only counted",
    "traffic.whole": "profiles whose answers come whole; the others come as streams",
    "traffic.model_type": "what all requests name as their model's type, which has its route limit",
    "traffic.model_types": "model type → its share of the requests, in the place of `model_type`",
    "deadlines.connect_s": "until the connection stands",
    "deadlines.first_token_s": "until the first token",
    "deadlines.gap_s": "between two tokens",
    "deadlines.total_s": "until the end of the answer",
    "policy.retries": "how often a request is tried again that failed before any token came",
    "policy.backoff_s": "the pause before the first retry; each later one is twice as long",
    "policy.backoff_s_max": "the longest pause; a server's Retry-After counts instead",
    "policy.cancel_share": "share of the requests that hang up after their first token",
    "experiment.file": "one of `experiments/`; a path from where the folder `scenarios/` lies",
    "experiment.vars": "values for the experiment's own `configuration`: text, numbers, true or false",
    "phases.warmup_s": "load that no claim is about",
    "phases.baseline_s": "before anything is broken",
    "phases.fault_s_max": "the longest that the experiment may take until the fault is gone; what it leaves "
    "goes to recovery",
    "phases.recovery_s": "after that",
    "objectives.name": "what it is called; no other claim may have that name",
    "objectives.sli": "what makes a request good ([below](#indicators))",
    "objectives.phase": "which requests: those that were due in it, and in the fault's those that were "
    "open when it struck; `run` is all but the warm-up",
    "objectives.limit_s": "how long it may take; needed by all but `success`, which takes none",
    "objectives.slice_s": "length of a slice, where slices of time are counted and not requests",
    "objectives.slice_share": "share of a slice's requests that makes it good; goes with `slice_s`",
    "objectives.target": "share of requests, or of slices, that has to be good",
    "objectives.confidence": "how sure a PASS, and a FAIL, has to be",
    "bounds.name": "what it is called; no other claim may have that name",
    "bounds.measure": "which number",
    "bounds.app": "whose pods",
    "bounds.phase": "when",
    "bounds.model_type": "requests of which model type; without it all",
    "bounds.profile": "requests of which profile; without it all",
    "bounds.alert": "which alert: `alert-after-s` needs it",
    "bounds.observer": "whose proxies are asked; without it all",
    "bounds.at_least": "the lower limit; one of the two is needed",
    "bounds.at_most": "the upper limit",
    "recovery.limit_s": "how long it may take, from the injection",
    "recovery.ttft_limit_s": "within which a good request has its first token, from when it was due",
    "recovery.slice_s": "length of a slice",
    "recovery.slices": "good ones in a row that are needed at the end",
    "recovery.good_share": "share of a slice's requests that makes it good",
    "budget.target": "the share that is promised over the period; what is left of 1 is the budget",
    "budget.period_d": "days of the period",
    "budget.spent_max": "share of the budget that this fault may spend",
    "expect.verdict": "the word",
    "expect.reason": "what one of the verdict's reasons must contain",
}
