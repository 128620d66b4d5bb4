"""Send a simulated fleet's reports to a real stream, from several processes.

`simulation` starts the workers and adds up what they report. Each worker is a process of its own (`__main__`) that runs
its share of the trucks and its own producer. SIGINT or SIGTERM makes it stop the trucks and deliver the records that it
holds; a second signal makes it give up the records that are not delivered yet.
"""
