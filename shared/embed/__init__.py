"""Embed tokens: which application may open which reports and as whom, and the narrowest token for it.

request     what may be asked, and what is answered
documents   the operator's embed.yaml; `fields`: the texts that both may hold
grants      which of the caller's grants covers a request, and what it then orders
identity    as whom the reports are read
facts       what Power BI says of reports and datasets, five minutes old at most
service     all of it together: decide, and mint or use again
"""
