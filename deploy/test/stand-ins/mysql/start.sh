set -eu
data=/var/lib/mysql
if [ ! -d $data/mysql ]; then
    mariadb-install-db --no-defaults --datadir=$data --auth-root-authentication-method=normal --skip-test-db >/dev/null
    printf '%s\n' "FLUSH PRIVILEGES;" \
        "CREATE DATABASE $MYSQL_DATABASE CHARACTER SET utf8mb4;" \
        "CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';" \
        "GRANT ALL ON $MYSQL_DATABASE.* TO '$MYSQL_USER'@'%';" \
        "ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';" |
        mariadbd --no-defaults --datadir=$data --bootstrap
fi
exec mariadbd --no-defaults --datadir=$data --socket=/tmp/mysql.sock --bind-address=0.0.0.0 --skip-name-resolve \
    --character-set-server=utf8mb4 --innodb-buffer-pool-size=64M
