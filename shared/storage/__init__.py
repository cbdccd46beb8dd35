"""The storage account, thin and typed; what is said of it in one place for all capabilities.

connection, errors              clients, and the SDK's exceptions as ours
tables, batches, queues, blobs  rows by ETag, several rows at once, messages, blobs
records, lists                  records of ours as rows; ids by time, the newest first
rejected, sweeping              what becomes of a message that is none of ours; a timer's pass over neglected rows
documents, document_blobs       the operator's documents that are in force
audit, events                   what was changed outside, for whom; what others are told
"""
