-- The demo shop: its tables and 1,000 products of about 1 KB of JSON each. Running it twice changes nothing.

CREATE TABLE IF NOT EXISTS users (
    openid        TEXT PRIMARY KEY,
    appid         TEXT NOT NULL,
    created_at    INTEGER NOT NULL DEFAULT (unixepoch()),
    last_login_at INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS products (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    -- Fen, so that sums are exact.
    price       INTEGER NOT NULL CHECK (price > 0),
    -- The last guard against overselling; the first is the condition of the UPDATE.
    stock       INTEGER NOT NULL CHECK (stock >= 0),
    description TEXT NOT NULL,
    attrs       JSON NOT NULL CHECK (json_valid(attrs))
);

CREATE TABLE IF NOT EXISTS orders (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    openid     TEXT NOT NULL REFERENCES users (openid),
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    amount     INTEGER NOT NULL CHECK (amount > 0),
    created_at INTEGER NOT NULL DEFAULT (unixepoch())
);

-- A user's orders, newest first, and the check of a foreign key when a product goes.
CREATE INDEX IF NOT EXISTS orders_by_user ON orders (openid, id);
CREATE INDEX IF NOT EXISTS orders_by_product ON orders (product_id);

WITH RECURSIVE
    numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000),
    words (goods, places, looks) AS (VALUES (
        '["龙井茶","手工陶杯","蚕丝围巾","竹编提篮","山核桃","桂花蜂蜜","宣纸册页","檀香折扇","黑芝麻糊","羊绒毛毯"]',
        '["杭州","景德镇","苏州","安吉","临安","桂林","泾县"]',
        '["青绿","月白","朱红","黛蓝","鹅黄"]'
    )),
    goods (n, name, place, look) AS (
        SELECT n,
               json_extract(goods, '$[' || (n % 10) || ']'),
               json_extract(places, '$[' || (n % 7) || ']'),
               json_extract(looks, '$[' || (n % 5) || ']')
        FROM numbers, words
    )
INSERT OR IGNORE INTO products (id, name, price, stock, description, attrs)
SELECT n,
       place || look || name || ' ' || printf('%04d', n) || ' 号',
       990 + (n * 7919) % 50000,
       -- Every hundredth is sold out.
       CASE WHEN n % 100 = 0 THEN 0 ELSE 500 + (n * 37) % 1000 END,
       '产自' || place || '的' || name || '，由当地匠人按传统工序制作，色调为' || look || '。'
           || '选料讲究，每一批都经过三道检验，随货附有编号与产地证明。'
           || '适合自用，也适合作为节日礼物送给家人和朋友。'
           || '每件作品的纹理和色泽都略有不同，这是手工制作的自然痕迹，并非瑕疵；图片因光线和屏幕差异，请以收到的实物为准。'
           || '现货一般在付款后二十四小时内发出，偏远地区可能需要多等一到两天。'
           || '包装采用可回收纸盒，内衬防震材料，运输途中不易损坏。'
           || '收到后请存放在阴凉干燥处，避免阳光直射；如有任何质量问题，七天内可以无理由退换，运费由本店承担。',
       json_object(
           'origin', place,
           'colour', look,
           'weight_g', 100 + (n * 13) % 900,
           'batch', printf('2026-%02d-%04d', 1 + n % 12, n),
           'tags', json_array(name, place || '特产', '手工', '顺丰包邮'),
           'images', json_array(
               '/images/products/' || printf('%04d', n) || '/1.webp',
               '/images/products/' || printf('%04d', n) || '/2.webp'
           )
       )
FROM goods;
