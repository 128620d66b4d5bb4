-- Reasons why records were rejected and the fields concerned, the most frequent first.
SELECT reason, field, count(*) AS records, min(from_unixtime(arrival)) AS first, max(from_unixtime(arrival)) AS last
FROM rejected
GROUP BY reason, field
ORDER BY records DESC, reason, field
