-- Cases, with all that belongs to them, in the proportions of a hospital group; see many_cases.py.

-- Names in the proportions of real ones: a few that many bear, many that few bear.
INSERT INTO cases_patient (id, uid, facility_id, medical_record_number, family_name, given_name, birth_date, sex,
                           created_at)
SELECT i, gen_random_uuid(), (SELECT id FROM accounts_facility WHERE name = 'Hospital ' || facility),
    'MRN-' || lpad(i::text, 8, '0'), CASE WHEN mod(i, 20) > 0 THEN
        (ARRAY['Berg', 'Stein', 'Hart', 'Wald', 'Klein', 'Lang', 'Schwarz', 'Weiss', 'Roth', 'Fried'])[1 + family / 200]
        || (ARRAY['mann', 'er', 'hof', 'berg', 'ing', 'feld', 'bach', 'ner', 'ow', 'ski', 'sen', 'wick', 'ton', 'ley',
                  'by', 'ford', 'dale', 'worth', 'more', 'croft'])[1 + mod(family / 10, 20)]
        || (ARRAY['', 's', 'a', 'o', 'i', 'e', 'y', 'u', 'en', 'an'])[1 + mod(family, 10)] ELSE '' END,
    CASE WHEN mod(i, 20) > 0 THEN
        (ARRAY['Ada', 'Kim', 'Noor', 'Alan', 'Grace', 'Linus', 'Marie', 'Niels', 'Rosa', 'Li'])[1 + given] ELSE '' END,
    date '1930-01-01' + born, (ARRAY['F', 'M'])[1 + mod(born, 2)], now()
FROM (SELECT i, CASE WHEN random() < 0.6 THEN 1 ELSE 2 + floor(random() * 19)::int END AS facility,
             floor(2000 * power(random(), 2))::int AS family, floor(random() * 10)::int AS given,
             floor(random() * 33000)::int AS born
      FROM generate_series(1, greatest(%(count)s * 3 / 5, 100)) AS i) AS drawn;

-- What becomes of each case; the tables below only spell it out.
CREATE TEMPORARY TABLE plan AS
SELECT drawn.i, drawn.patient, facility_id AS facility,
    now() - (%(count)s - i + random()) * interval '365 days' / %(count)s AS received,
    CASE WHEN urgency < 0.03 THEN 1 WHEN urgency < 0.15 THEN 2 ELSE 3 END AS priority,
    CASE WHEN NOT awaiting THEN 'signed' WHEN reading < 0.02 THEN 'in_review' ELSE 'to_read' END AS status,
    CASE WHEN awaiting AND mod(i, 20) = 0 THEN 'second' WHEN awaiting AND mod(i, 20) = 1 THEN 'adjudication'
         ELSE 'first' END AS stage,
    CASE WHEN i > %(count)s * 0.9995 THEN 'queued' WHEN i > %(count)s * 0.999 THEN 'running'
         WHEN ai < 0.88 THEN 'ready' WHEN ai < 0.94 THEN 'indeterminate' WHEN ai < 0.97 THEN 'refused'
         WHEN ai < 0.98 THEN 'failed' ELSE 'off' END AS ai,
    (ARRAY['covid', 'normal', 'normal', 'normal', 'pneumonia', 'pneumonia'])[1 + floor(class * 6)::int] AS label,
    0.5 + class / 2 AS probability, i > %(count)s / 2 AS is_recent,
    readers[1 + floor(who * array_length(readers, 1))::int] AS reader, submitter
FROM (SELECT i, 1 + floor(random() * greatest(%(count)s * 3 / 5, 100))::int AS patient, random() AS urgency,
             i > %(count)s * 0.98 OR random() < 0.01 AS awaiting, random() AS reading, random() AS ai,
             random() AS class, random() AS who
      FROM generate_series(1, %(count)s) AS i) AS drawn
JOIN cases_patient ON cases_patient.id = drawn.patient
JOIN (SELECT facility_id, array_agg(id) FILTER (WHERE role = 'radiologist') AS readers,
             min(id) FILTER (WHERE role = 'submitter') AS submitter
      FROM accounts_user GROUP BY facility_id) AS staff USING (facility_id)
ORDER BY i;

INSERT INTO cases_case (id, uid, facility_id, patient_id, accession_number, indication, priority, is_synthetic,
                        received_at, submitted_by_id, status, stage, claimed_by_id, claimed_until, signed_by_id,
                        ai_status, ai_label, ai_probability, ai_suspicion, ai_reason, ranks_as_of, order_arm)
SELECT i, gen_random_uuid(), facility, patient, 'ACC-' || lpad(i::text, 9, '0'), 'Cough and fever for three days',
    priority, false, received, submitter, status, stage, CASE WHEN status = 'in_review' THEN reader END,
    CASE WHEN status = 'in_review' THEN now() + interval '20 minutes' END,
    CASE WHEN status = 'signed' THEN reader END,
    ai, CASE WHEN ai = 'ready' THEN label ELSE '' END, CASE WHEN ai = 'ready' THEN probability END, suspicion,
    CASE WHEN ai = 'refused' THEN 'The image is a lateral view.' ELSE '' END,
    received + (1 - 2 * suspicion) * (ARRAY[interval '15 minutes', interval '2 hours', interval '12 hours'])[priority], ''
FROM (SELECT *, CASE WHEN ai = 'ready' THEN CASE WHEN label = 'normal' THEN 1 - probability ELSE probability END END
                    AS suspicion FROM plan) AS concluded;

INSERT INTO cases_radiograph (id, uid, case_id, patient_id, original, original_name, sha256, byte_size, media_type,
                              preview, preview_sha256, rows, columns, bits_stored, photometric, colour_saturation,
                              modality, view_position, laterality, body_part, received_at, submitted_by_id)
SELECT i, gen_random_uuid(), i, patient, 'originals/' || sha, 'chest.dcm', sha, 8000000, 'application/dicom',
    'previews/' || sha, sha, 2500, 2048, 12, 'MONOCHROME2', 0, 'DX', 'PA', '', 'CHEST', received, submitter
FROM (SELECT *, md5(i::text) || md5('x' || i) AS sha FROM plan) AS hashed;

INSERT INTO cases_review (id, uid, case_id, reader_id, stage, signed_version, amendment_reason, first_impression,
                          was_blind, final_label, findings, created_at, updated_at, signed_at)
SELECT i, gen_random_uuid(), i, reader, 'first', 1, '', '', false,
    CASE WHEN status = 'signed' THEN label ELSE '' END, 'Clear lungs.', received, received,
    CASE WHEN status = 'signed' THEN received + interval '2 hours' END
FROM plan WHERE status <> 'to_read';

INSERT INTO cases_casestatuschange (old, new, stage, actor_id, reason, at, subject_id)
SELECT old, new, 'first', reader, '', received, i
FROM plan JOIN (VALUES ('to_read', 'in_review'), ('in_review', 'signed')) AS moves (old, new)
    ON status = 'signed' OR status = 'in_review' AND new = 'in_review';

INSERT INTO inference_prediction (id, uid, label, probability, is_calibrated, spread, indeterminate_reason, created_at)
SELECT i, gen_random_uuid(), label, probability, true, 0, CASE WHEN ai = 'ready' THEN '' ELSE 'low_probability' END,
    received
FROM plan WHERE ai IN ('ready', 'indeterminate');

INSERT INTO inference_refusal (id, code, sentence, created_at)
SELECT i, 'lateral', 'The image is a lateral view.', received FROM plan WHERE ai = 'refused';

INSERT INTO inference_run (id, uid, radiograph_id, pipeline_id, status, priority, attempts, queued_at, due_at, started_at,
                           finished_at, lease_token, lease_expires_at, worker, prediction_id, refusal_id,
                           failure_reason)
SELECT i, gen_random_uuid(), i, (SELECT id FROM inference_pipeline WHERE status = 'active'),
    CASE WHEN ai IN ('ready', 'indeterminate') THEN 'succeeded' ELSE ai END, priority, 1, received, received, received,
    CASE WHEN ai NOT IN ('queued', 'running') THEN received + interval '1 second' END,
    CASE WHEN ai = 'running' THEN gen_random_uuid() END,
    CASE WHEN ai = 'running' THEN now() + interval '1 minute' END, 'worker',
    CASE WHEN ai IN ('ready', 'indeterminate') THEN i END, CASE WHEN ai = 'refused' THEN i END,
    CASE WHEN ai = 'failed' THEN 'A stored image file is damaged.' ELSE '' END
FROM plan WHERE ai <> 'off';

INSERT INTO inference_runstatuschange (old, new, reason, at, subject_id)
SELECT 'queued', 'running', '', received, i FROM plan WHERE ai NOT IN ('off', 'queued');

-- Of the newest half, whose pages are opened, every detail; of the others what lists show of old cases.
INSERT INTO inference_memberoutput (id, prediction_id, model_version_id, position, weight)
SELECT i, i, (SELECT min(id) FROM inference_modelversion), 0, 1 FROM plan WHERE ai IN ('ready', 'indeterminate');

INSERT INTO inference_classprobability (prediction_id, member_id, label, position, value)
SELECT i, member, class, position - 1, 1.0 / 3
FROM plan CROSS JOIN unnest(ARRAY['covid', 'normal', 'pneumonia']) WITH ORDINALITY AS classes (class, position)
    CROSS JOIN LATERAL (SELECT NULL::bigint AS member UNION ALL SELECT i WHERE is_recent) AS owners
WHERE ai IN ('ready', 'indeterminate');

INSERT INTO inference_heatmap (uid, member_id, label, image, sha256, is_usable)
SELECT gen_random_uuid(), i, class, '', '', false
FROM plan CROSS JOIN unnest(ARRAY['covid', 'normal', 'pneumonia']) AS class
WHERE ai IN ('ready', 'indeterminate') AND is_recent;

INSERT INTO audit_auditevent (uid, at, event, actor_id, facility_id, object_type, object_uid, detail)
SELECT gen_random_uuid(), received, 'submitted_image', submitter, facility, 'case', gen_random_uuid(), '' FROM plan;

DROP TABLE plan;
